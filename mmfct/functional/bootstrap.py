"""Confidence interval of a mean by the bootstrap."""

from __future__ import annotations

import torch
from torch import Tensor

_VALUES_PER_CHUNK = 2**22


def bootstrap_interval(
    values: Tensor, *, confidence: float = 0.95, resamples: int = 10000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean: how much it would vary with other queries.

    To compare two systems that answered the same queries, pass the paired differences of their scores.
    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.

    Args:
        values: Scores, or differences of scores, of shape (Q,).
        confidence: Share of such intervals that cover the true mean, in (0, 1).
        resamples: Number of samples of Q values drawn with replacement.
        seed: Seed of the resampling.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: If ``values`` are not a finite vector with an entry, or an option is out of range.
    """
    if values.dim() != 1 or not len(values) or not bool(torch.isfinite(values).all()):
        raise ValueError(f'`values` must be a finite vector with an entry, got {values!r}')
    check_bootstrap(confidence, resamples)
    values = values.detach().cpu().double()
    generator = torch.Generator().manual_seed(seed)
    means = torch.empty(resamples, dtype=torch.float64)
    for part in means.split(max(1, _VALUES_PER_CHUNK // len(values))):
        drawn = torch.randint(len(values), (len(part), len(values)), generator=generator)
        part.copy_(values[drawn].mean(dim=1))
    tail = (1 - confidence) / 2
    low, high = torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high


def check_bootstrap(confidence: float, resamples: int) -> None:
    """Raise a ``ValueError`` if an option of a bootstrap is out of range."""
    if not 0 < confidence < 1:
        raise ValueError(f'`confidence` must lie between 0 and 1, got {confidence!r}')
    if resamples < 1:
        raise ValueError(f'`resamples` must be at least 1, got {resamples!r}')
