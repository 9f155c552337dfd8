"""Score a ranking of labels by suspicion, and find a threshold without knowing which are corrupted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

# Split in two, a normal distribution has a separation of 2.7 and a uniform one, the flattest with a single bump, of
# 3.46, give or take 0.05 for 1000 labels: more than that takes a gap.
MIN_SEPARATION = 3.6
# Scores are logarithms of variances: groups of nearly equal weights need not be told apart, however sharp they are.
MIN_DISTANCE = float(np.log(2))


def detection_scores(scores: ArrayLike, corrupted: ArrayLike) -> dict[str, float]:
    """Score a ranking by suspicion, given which labels are corrupted.

    Args:
        scores: Suspicion of each label, of shape (I,): larger is more suspicious.
        corrupted: Whether the label is corrupted, boolean of shape (I,).

    Returns:
        ``auroc``: probability that a corrupted label is ranked before a clean one, ties counting half; ``ap``:
        average precision, equal scores taken together; ``precision_at_rate``: share of corrupted labels among as
        many of the most suspicious as are corrupted, where recall is the same number; of labels tied at the cut it
        takes the expected number.

    Raises:
        ValueError: Shapes differ, a score is not finite, or all labels are corrupted or none is.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    values, truth = np.asarray(scores, dtype=np.float64), np.asarray(corrupted, dtype=bool)
    if values.ndim != 1 or values.shape != truth.shape:
        raise ValueError(
            f'`scores` and `corrupted` must have the same shape (I,), got {values.shape!r} and {truth.shape!r}'
        )
    _check_finite(values)
    count = int(truth.sum())
    if count in (0, len(truth)):
        raise ValueError(f'`corrupted` must be true for some labels and false for others, got {count} of {len(truth)}')
    cut = np.sort(values)[-count]
    above, tied = values > cut, values == cut
    found = truth[above].sum() + (count - above.sum()) * truth[tied].mean()
    return dict(
        auroc=float(roc_auc_score(truth, values)),
        ap=float(average_precision_score(truth, values)),
        precision_at_rate=float(found / count),
    )


def suspicion_threshold(scores: ArrayLike) -> float | None:
    """Find the score that separates corrupted from clean labels, where the scores form two groups.

    The split is the one with the least variance within its groups (Otsu, 1979; 2-means). It counts only if the
    groups are apart, ``|m1 - m2| / sqrt((v1 + v2) / 2) > 3.6`` for means m and variances v (Ashman, Bird & Zepf,
    1994), and by more than a factor of 2: clean labels have easy and hard images, but one bump.

    Args:
        scores: Suspicion of each label, the logarithm of a variance or temperature, of shape (I,).

    Returns:
        The threshold, half way between the groups, above which labels are suspicious; ``None`` for one group.

    Raises:
        ValueError: A score is not finite, or the shape is another.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64), axis=None)
    if np.ndim(scores) != 1:
        raise ValueError(f'`scores` must have the shape (I,), got {np.shape(scores)!r}')
    _check_finite(ordered)
    if len(ordered) < 2 or ordered[0] == ordered[-1]:
        return None
    # For every split in a lower and an upper group: with the mean of all at 0, the sum of the upper group is minus
    # that of the lower one, and the variance between the groups is largest where that within them is least.
    sizes = np.arange(1, len(ordered))  # (I - 1,)
    between = (ordered - ordered.mean()).cumsum()[:-1] ** 2 * (1 / sizes + 1 / sizes[::-1])
    # Equal scores cannot be separated.
    split = int(np.where(np.diff(ordered) > 0, between, -1).argmax()) + 1
    lower, upper = ordered[:split], ordered[split:]
    spread = np.sqrt((lower.var() + upper.var()) / 2)
    if upper.mean() - lower.mean() <= max(MIN_DISTANCE, MIN_SEPARATION * spread):
        return None
    return float((lower[-1] + upper[0]) / 2)


def _check_finite(values: np.ndarray) -> None:
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise ValueError(f'`scores` must be finite, got NaN or infinity for {wrong} of {len(values)} labels')
