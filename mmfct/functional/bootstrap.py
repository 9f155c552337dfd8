"""Confidence intervals: of means by the bootstrap, and of a share in closed form."""

from __future__ import annotations

from statistics import NormalDist

import torch
from torch import Tensor

from mmfct.functional.compatibility import ROUNDING

_VALUES_PER_CHUNK = 2**22
# Enough to decide; fewer of very many queries, whose interval is narrow, so that it takes about a second.
_MOST_RESAMPLES, _LEAST_RESAMPLES, _DRAWS = 2000, 400, 20_000_000


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
    _check_values(values)
    check_bootstrap(confidence, resamples)
    return _tails(_resampled_means(values, resamples, torch.Generator().manual_seed(seed)), confidence)


def bootstrap_difference(
    before: Tensor, after: Tensor, *, confidence: float = 0.95, resamples: int = 10000, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the mean of ``after`` minus that of ``before``, of other queries each.

    Of the same queries, `bootstrap_interval` of their differences is narrower.

    Args:
        before: Scores of shape (P,).
        after: Scores of shape (Q,).
        confidence: See `bootstrap_interval`.
        resamples: See there.
        seed: See there.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: If one of the two is not a finite vector with an entry, or an option is out of range.
    """
    _check_values(before)
    _check_values(after)
    check_bootstrap(confidence, resamples)
    generator = torch.Generator().manual_seed(seed)
    means = [_resampled_means(values, resamples, generator) for values in (before, after)]
    return _tails(means[1] - means[0], confidence)


def simultaneous_intervals(
    values: Tensor, *, confidence: float = 0.95, resamples: int = 2000, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Intervals of several means that all cover theirs at once, with the given confidence.

    So one may look for the lowest of many points and still trust its interval. Every interval is the mean and the same
    multiple of its standard error, a quantile of the largest deviation in bootstrap samples. Source: Davison and
    Hinkley, Bootstrap Methods and their Application, 1997, section 4.2.4 (maximum over statistics).

    Args:
        values: Scores of Q queries in P settings, of shape (Q, P).
        confidence: Share of such sets of intervals of which every one covers its mean, in (0, 1).
        resamples: Number of samples of Q rows drawn with replacement.
        seed: Seed of the resampling.

    Returns:
        Lower and upper ends of shape (P,), float64. The interval of a column of equal values has no width.

    Raises:
        ValueError: If ``values`` are not a finite matrix with an entry, or an option is out of range.
    """
    if values.dim() != 2 or not values.numel() or not bool(torch.isfinite(values).all()):
        raise ValueError(f'`values` must be a finite matrix with an entry, got shape {tuple(values.shape)}')
    check_bootstrap(confidence, resamples)
    values = values.detach().cpu().double()
    number = len(values)
    means = values.mean(dim=0)
    errors = values.var(dim=0, correction=0).div(number).sqrt()
    varies = errors > ROUNDING
    largest = torch.zeros(resamples, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    for part in largest.split(max(1, _VALUES_PER_CHUNK // number)):
        drawn = torch.randint(number, (len(part), number), generator=generator)
        counts = torch.zeros(len(part), number, dtype=torch.float64)
        counts.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
        deviations = (counts @ values / number - means).abs() / errors.where(varies, 1)
        part.copy_(deviations.where(varies, 0).amax(dim=1))
    reach = torch.quantile(largest, confidence) * errors.where(varies, 0)
    return means - reach, means + reach


def share_interval(hits: int, number: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share.

    Unlike that of a bootstrap it has a width where no query, or every one, is a hit. Source: Wilson, Probable
    Inference, the Law of Succession, and Statistical Inference, 1927.

    Args:
        hits: Number of queries that are counted.
        number: Number of all queries.
        confidence: Share of such intervals that cover the true share, in (0, 1).

    Returns:
        Lower and upper end, in [0, 1].

    Raises:
        ValueError: If there is no query, the hits are out of range, or the confidence is.
    """
    if not 0 <= hits <= number or number < 1:
        raise ValueError(f'`hits` must lie in [0, `number`] and `number` be at least 1, got {hits} and {number}')
    check_bootstrap(confidence, 1)
    square = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    share = hits / number
    center = (share + square / (2 * number)) / (1 + square / number)
    reach = (square * share * (1 - share) / number + (square / (2 * number)) ** 2) ** 0.5 / (1 + square / number)
    return max(0.0, center - reach), min(1.0, center + reach)


def affordable_resamples(number: int) -> int:
    """Return how many bootstrap samples of so many values are drawn within about a second."""
    return min(max(_DRAWS // max(number, 1), _LEAST_RESAMPLES), _MOST_RESAMPLES)


def check_bootstrap(confidence: float, resamples: int) -> None:
    """Raise a ``ValueError`` if an option of a bootstrap is out of range."""
    if not 0 < confidence < 1:
        raise ValueError(f'`confidence` must lie between 0 and 1, got {confidence!r}')
    if resamples < 1:
        raise ValueError(f'`resamples` must be at least 1, got {resamples!r}')


def _check_values(values: Tensor) -> None:
    if values.dim() != 1 or not len(values) or not bool(torch.isfinite(values).all()):
        raise ValueError(f'`values` must be a finite vector with an entry, got {values!r}')


def _resampled_means(values: Tensor, resamples: int, generator: torch.Generator) -> Tensor:
    values = values.detach().cpu().double()
    means = torch.empty(resamples, dtype=torch.float64)
    for part in means.split(max(1, _VALUES_PER_CHUNK // len(values))):
        drawn = torch.randint(len(values), (len(part), len(values)), generator=generator)
        part.copy_(values[drawn].mean(dim=1))
    return means


def _tails(means: Tensor, confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = torch.quantile(means, torch.tensor([tail, 1 - tail], dtype=torch.float64)).tolist()
    return low, high
