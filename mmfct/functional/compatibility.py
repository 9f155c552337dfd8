"""How much of the gain of a new model an upgraded gallery delivers."""

from __future__ import annotations

import math


def update_gain(new_transformed: float, old_old: float, new_new: float) -> float:
    """Update gain, also called the share of the gap recovered (Forward Compatible Training, Ramanujan et al. 2022).

    ``[M(new, h(old)) - M(old, old)] / [M(new, new) - M(old, old)]`` for a retrieval metric ``M(query, gallery)``: 0
    where the transformed gallery is as good as the old system, 1 where it is as good as recomputing the gallery with
    the new model; outside [0, 1] where it is worse or better than either.

    Args:
        new_transformed: Metric of new queries on the transformed old gallery.
        old_old: Metric of old queries on the old gallery.
        new_new: Metric of new queries on the new gallery.

    Returns:
        The gain, NaN where the two models are equally good and there is no gap to recover.
    """
    gap = new_new - old_old
    return (new_transformed - old_old) / gap if gap else math.nan
