"""Rows that have an equal in another set: the same item under two ids finds itself, and scores are too good."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmfct.functional.neighbour_recall import nearest_rows

# In proportion to the spread of the gallery: what float16, or another batch size on a GPU, changes.
_TOLERANCE = 2e-3


@torch.no_grad()
def twin_rows(query: Tensor, gallery: Tensor, *, distance: str = 'cosine', own_rows: Tensor | None = None) -> Tensor:
    """Find the gallery row that equals each query but for rounding.

    Args:
        query: Embeddings of shape (Q, D), of a floating type.
        gallery: Embeddings of shape (G, D).
        distance: One of `mmfct.utils.distances.DISTANCES`; with ``cosine``, lengths do not count.
        own_rows: See `nearest_rows`: the row of the query's own id, which is no twin.

    Returns:
        int64 of shape (Q,): the row, -1 where no row is nearer than 0.2 % of the gallery's standard deviation.

    Raises:
        ValueError: See `nearest_rows`.
    """
    if distance == 'cosine':
        query, gallery = normalize(query, dim=1), normalize(gallery, dim=1)
    mean = gallery.mean(dim=0)
    query, gallery = query - mean, gallery - mean  # small numbers, whose products cancel less
    nearest = nearest_rows(query, gallery, 1, distance='l2', own_rows=own_rows).squeeze(1)
    spread = gallery.square().sum(dim=1).mean().sqrt()
    return torch.where((query - gallery[nearest]).norm(dim=1) <= _TOLERANCE * spread, nearest, -1)
