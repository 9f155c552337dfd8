"""Format the results of several seeds for the tables of the experiments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean, stdev

_SHORT = 0.01  # a way so short is noise


def spread(values: Sequence[float], factor: float = 1.0, digits: int = 1) -> str:
    """Return the mean of ``factor * values`` and, for several values, their standard deviation: ``'3.2 ± 0.1'``."""
    scaled = [factor * value for value in values]
    deviation = f' ± {stdev(scaled):.{digits}f}' if len(scaled) > 1 else ''
    return f'{mean(scaled):.{digits}f}{deviation}'


def percent(fractions: Sequence[float | None]) -> str:
    """Return :func:`spread` of fractions in percent, or ``-`` if one was not measured."""
    numbers = [fraction for fraction in fractions if fraction is not None]
    return spread(numbers, 100) if len(numbers) == len(fractions) else '-'


def way(start: Sequence[float], values: Sequence[float], goal: Sequence[float]) -> str:
    """Return how far the mean of some values lies on the way from one mean to another, in percent: ``'76 ± 12'``.

    All have a value per seed, in the same order. The standard error is that of the jackknife, which leaves out one
    seed after the other; ``-`` where the two ends differ by less than a hundredth, also without one of the seeds.
    """

    def part(kept: Sequence[int]) -> float:
        first, here, last = (mean(found[seed] for seed in kept) for found in (start, values, goal))
        return 100 * (here - first) / (last - first) if abs(last - first) > _SHORT * abs(first) else math.nan

    seeds = range(len(values))
    whole = part(seeds)
    parts = [part([kept for kept in seeds if kept != left_out]) for left_out in seeds] if len(seeds) > 1 else []
    if not math.isfinite(sum(parts, whole)):
        return '-'
    error = f' ± {(len(parts) - 1) / math.sqrt(len(parts)) * stdev(parts):.0f}' if parts else ''
    return f'{whole:.0f}{error}'


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
