"""Whether queries lie where the gallery of their model does: a wrong name of a model ranks plausibly."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from mmfct.retrieval.transform.profile import InputProfile

_MOST_ROWS = 5000


def spread_rows(size: int, most: int = _MOST_ROWS) -> np.ndarray:
    """Return rows spread evenly over all, int64 of shape (min(size, most),)."""
    return np.linspace(0, size - 1, min(size, most)).astype(np.int64)


def other_space(queries: Tensor, gallery: Tensor, distance: str, known: str) -> str | None:
    """Say how queries differ from the gallery; ``None`` if they may be of one model.

    Args:
        queries: Queries of shape (Q, D), or some of them; less than a hundred tell little.
        gallery: Items of shape (G, D), or some of them.
        distance: How they are compared; lengths of queries count with ``l2`` alone.
        known: What the sentence calls the items.
    """
    unit = distance != 'l2'
    difference = InputProfile.of(gallery.float(), unit=unit).difference(queries.float(), unit=unit, known=known)
    return difference and difference.fact
