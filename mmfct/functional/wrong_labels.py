"""How many labels are wrong, and which: from how their own image's prediction ranks among those of other images."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

# Bins of the density of ranks: about as many as there are labels would follow every single one.
_MOST_BINS = 200
_CONFIDENCE_Z = 1.96  # of a 95 % interval
# An upper end of the interval from which on it cannot be told from a network that has learned nothing.
_NO_EVIDENCE = 0.95
# A share from which on the network may have learned too little, so that right labels look wrong to it: one trained for
# two epochs said 71 % where 25 % were.
_DOUBTFUL = 0.65


class WrongLabels(NamedTuple):
    """What the ranks of N labels say about them.

    Args:
        share: Estimated share of wrong labels; wrong labels that the network has memorised are not in it.
        interval: 95 % interval of the share.
        probability: Probability that each label is wrong, float64 of shape (N,); NaN without evidence.
        evidence: Whether the network tells right labels from labels of other images at all.
    """

    share: float
    interval: tuple[float, float]
    probability: np.ndarray
    evidence: bool


def estimate_wrong_labels(ranks: ArrayLike) -> WrongLabels:
    """Estimate from ranks how many labels are wrong, and the probability of each.

    The rank u of a label is the share of other images' predictions that fit it better than its own image's; images of
    the same class are left out, since each fits the other's label. For a
    permuted label that was not memorised u is uniform, since its own image is one like the others, and right labels
    have small ones. So the share of wrong labels is twice that of ranks above 1/2 (with a Wilson interval), and a
    label of rank u is wrong with the probability ``share / f(u)``, with the density f of all ranks, which falls (its
    Grenander estimate: the least concave majorant of the distribution).

    Args:
        ranks: Ranks u in [0, 1], of shape (N,).

    Raises:
        ValueError: If there are none, or one is not a number in [0, 1].
    """
    ranks = np.asarray(ranks, dtype=np.float64)
    if ranks.ndim != 1 or not len(ranks) or not ((ranks >= 0) & (ranks <= 1)).all():
        raise ValueError(f'`ranks` must be numbers in [0, 1] of shape (N,), got {ranks!r}')
    upper = (ranks > 0.5).sum() + 0.5 * (ranks == 0.5).sum()
    low, high = (min(2 * end, 1.0) for end in wilson_interval(upper, len(ranks)))
    share = min(2 * upper / len(ranks), 1.0)
    evidence = high < _NO_EVIDENCE and share < _DOUBTFUL
    probability = np.full(len(ranks), np.nan)
    if evidence:
        probability = np.minimum(1.0, share / _falling_density(ranks))
    return WrongLabels(float(share), (float(low), float(high)), probability, bool(evidence))


def wilson_interval(hits: float, number: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of which ``hits`` of ``number`` were seen (Wilson, 1927)."""
    share, z2 = hits / number, _CONFIDENCE_Z**2
    center = (share + z2 / (2 * number)) / (1 + z2 / number)
    half = _CONFIDENCE_Z / (1 + z2 / number) * np.sqrt(share * (1 - share) / number + z2 / (4 * number**2))
    return float(max(center - half, 0)), float(min(center + half, 1))


def _falling_density(ranks: np.ndarray) -> np.ndarray:
    """Return the density of ranks (N,) at each of them, the steps of the least concave majorant of a histogram."""
    from sklearn.isotonic import isotonic_regression

    number = min(_MOST_BINS, len(ranks))
    counts, _ = np.histogram(ranks, number, (0, 1))
    density = isotonic_regression(counts * (number / len(ranks)), increasing=False)
    return density[np.minimum((ranks * number).astype(int), number - 1)].clip(min=1e-12)
