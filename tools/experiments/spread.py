"""Format the results of several seeds for the tables of the experiments."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev


def spread(values: Sequence[float], factor: float = 1.0, digits: int = 1) -> str:
    """Return the mean of ``factor * values`` and, for several values, their standard deviation: ``'3.2 ± 0.1'``."""
    scaled = [factor * value for value in values]
    deviation = f' ± {stdev(scaled):.{digits}f}' if len(scaled) > 1 else ''
    return f'{mean(scaled):.{digits}f}{deviation}'


def percent(fractions: Sequence[float | None]) -> str:
    """Return :func:`spread` of fractions in percent, or ``-`` if one was not measured."""
    numbers = [fraction for fraction in fractions if fraction is not None]
    return spread(numbers, 100) if len(numbers) == len(fractions) else '-'


def gap_note(gains: Sequence[float | None]) -> list[str]:
    """Return the lines below a table that say why a gain is missing; none if all are there."""
    missing = sum(gain is None for gain in gains)
    if not missing:
        return []
    return [
        '',
        f'-: in {missing} of {len(gains)} runs the new model is no better than the old one, or by too little to '
        'speak of a share of the gap.',
    ]
