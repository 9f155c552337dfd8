"""What an upgraded gallery gains and loses: update gain and negative flips."""

from __future__ import annotations

import math

from torch import Tensor

# A smaller difference between two scores of a query is a rounding error.
ROUNDING = 1e-12


def update_gain(new_transformed: float, old_old: float, new_new: float) -> float:
    """Update gain, also called the share of the gap recovered; NaN where there is no gap.

    ``[M(new, h(old)) - M(old, old)] / [M(new, new) - M(old, old)]``, for a retrieval metric
    ``M(query, gallery)`` that is better where it is larger: 0 where the transformed gallery is as
    good as the old system, 1 where it is as good as the new model's own gallery. It may lie
    outside [0, 1]. If the new model is no better than the old one, the quotient means nothing: a
    worse gallery would have a larger gain.

    Source: Shen et al., Towards Backward-Compatible Representation Learning, 2020, section 3.3; in
    Ramanujan et al., Forward Compatible Training, 2022, for ``h``.

    Args:
        new_transformed: Metric of new queries on the transformed old gallery.
        old_old: Metric of old queries on the old gallery.
        new_new: Metric of new queries on the new gallery.

    Returns:
        The gain; NaN unless the new model is better than the old one.
    """
    gap = new_new - old_old
    return (new_transformed - old_old) / gap if gap > ROUNDING else math.nan


def negative_flips(before: Tensor, after: Tensor) -> Tensor:
    """Return which queries the new system answers worse than the old one.

    With CMC-1 as the score, the nearest neighbour was a match (or, among equally near ones, more likely a match) and
    no longer is. Source: Yan et al., Positive-Congruent Training, 2021.

    Args:
        before: Scores of the queries in the old system, of shape (Q,).
        after: Scores of the same queries in the new one, of shape (Q,).

    Returns:
        Booleans of shape (Q,).
    """
    return after < before - ROUNDING
