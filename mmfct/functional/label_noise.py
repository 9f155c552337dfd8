"""Score a ranking of labels by suspicion, where it is known which are corrupted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


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


def _check_finite(values: np.ndarray) -> None:
    wrong = int((~np.isfinite(values)).sum())
    if wrong:
        raise ValueError(f'`scores` must be finite, got NaN or infinity for {wrong} of {len(values)} labels')
