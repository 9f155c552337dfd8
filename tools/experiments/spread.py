"""Format the results of several seeds for the tables of the experiments."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev


def spread(values: Sequence[float], factor: float = 1.0, digits: int = 1) -> str:
    """Return the mean of ``factor * values`` and, for several values, their standard deviation: ``'3.2 ± 0.1'``."""
    scaled = [factor * value for value in values]
    deviation = f' ± {stdev(scaled):.{digits}f}' if len(scaled) > 1 else ''
    return f'{mean(scaled):.{digits}f}{deviation}'


def percent(fractions: Sequence[float]) -> str:
    """Return :func:`spread` of fractions in percent."""
    return spread(fractions, 100)
