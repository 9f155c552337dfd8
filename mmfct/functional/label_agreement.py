"""How well labels agree with the predictions of their own images, compared with those of other images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

# Points of a density in [-1, 1]; 0 is one of them.
_GRID = np.linspace(-1, 1, 2049)
# Of Silverman's bandwidth: that one is for a single normal group, here there may be two.
_BANDWIDTH = 0.7 * 1.06
# Shares of labels that agree with no image better than with their own from which on the estimate counts for less, and
# for nothing: nearly everything looks wrong to a network that has learned nothing.
_DOUBTFUL, _NOTHING = 0.65, 0.9


class Agreement(NamedTuple):
    """What the contrasts of N labels say.

    Args:
        right: Weight of evidence that each label belongs to its image, float64 of shape (N,) in [0, 1].
        share: Estimated share of labels that do not.
    """

    right: np.ndarray
    share: float


def contrasts(own: Tensor, others: Tensor) -> Tensor:
    """Compare the loss of each label under its own image's prediction with that under predictions of other images.

    A label that was permuted belongs to its image no more than to any other: own and other loss are exchangeable and
    the contrast has mean 0, whatever the loss, its unit or the noise. A label that belongs to its image has a contrast
    below 0 as soon as the network has learned something.

    Args:
        own: Losses l of shape (B, T).
        others: Losses o of the same labels under K other predictions, (K, B, T); NaN where one does not count.

    Returns:
        Means over the others of ``(l - o) / (|l| + |o|)``, in [-1, 1], of shape (B, T); 0 where both losses are 0, NaN
        without a loss or without others.
    """
    total = own.abs() + others.abs()
    relative = torch.where(total == 0, 0.0, (own - others) / total.clamp(min=torch.finfo(total.dtype).tiny))
    return relative.nanmean(dim=0)


def fit_agreement(values: ArrayLike) -> Agreement:
    """Estimate from mean contrasts which labels belong to their images.

    The contrasts of permuted labels are symmetric about 0, and those of right labels lie below. So the density f above
    0 is that of permuted labels, and mirrored it is theirs below 0 too: a label with the contrast ``-r`` is wrong with
    the probability ``f(r) / f(-r)`` at most (the decoy estimate of a local false discovery rate). The densities are
    kernel estimates, the ratio is made monotone (isotonic regression). It is an upper bound: early in training, when
    right labels lie above 0 too, it overstates the share of wrong labels. Nothing is assumed about shapes or units.

    A network that has learned nothing gives contrasts that are symmetric about 0. Nearly all labels then look wrong,
    which is no evidence about any one of them. So from an estimated share of 65 % on, differences between labels count
    for less, and from 90 % on for nothing.

    Args:
        values: Mean contrasts in [-1, 1], of shape (N,).

    Raises:
        ValueError: If there are none, or one is not a number in [-1, 1].
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not (np.abs(values) <= 1).all():
        raise ValueError(f'`values` must be numbers in [-1, 1] of shape (N,), got {values!r}')
    density = _density(values)
    wrong = np.interp(values, _GRID, _wrong_given(density))
    share = float(wrong.mean())
    doubt = float(np.clip((share - _DOUBTFUL) / (_NOTHING - _DOUBTFUL), 0, 1))
    return Agreement((1 - doubt) * (1 - wrong) + doubt, share)


def agreement_weights(values: ArrayLike, prior: ArrayLike = 1.0) -> tuple[np.ndarray, float]:
    """Return weights (N,) of mean 1, and the estimated share of wrong labels.

    Args:
        values: Mean contrasts in [-1, 1], of shape (N,).
        prior: What is known of the labels from elsewhere, above 0, of shape (N,) or (); the weights are in proportion
            to it and to `fit_agreement`.
    """
    right, share = fit_agreement(values)
    weights = right * np.asarray(prior)
    return weights / weights.mean(), share


def _density(values: np.ndarray) -> np.ndarray:
    """Return a Gaussian kernel density of values (N,), up to a factor, on the grid."""
    step = _GRID[1] - _GRID[0]
    width = max(_BANDWIDTH * values.std() * len(values) ** -0.2, step)
    counts, _ = np.histogram(values, np.append(_GRID - step / 2, _GRID[-1] + step / 2))
    reach = np.arange(-np.ceil(4 * width / step), np.ceil(4 * width / step) + 1) * step
    kernel = np.exp(-0.5 * (reach / width) ** 2)
    full = np.convolve(counts, kernel)
    start = len(reach) // 2
    return full[start : start + len(_GRID)]


def _wrong_given(density: np.ndarray) -> np.ndarray:
    """Return the probability of a wrong label at every point of the grid: 1 from 0 on, below it does not fall."""
    from sklearn.isotonic import isotonic_regression

    middle = len(_GRID) // 2
    below, above = density[:middle], density[:middle:-1]  # of -r and of r
    below = np.maximum(below, 1e-12)
    wrong = np.ones(len(_GRID))
    # Weighted: the few labels of a tail must not decide about all the others.
    wrong[:middle] = isotonic_regression(above / below, sample_weight=below).clip(0, 1)
    return wrong
