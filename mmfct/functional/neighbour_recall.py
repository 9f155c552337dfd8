"""How many of the right neighbours a search finds."""

from __future__ import annotations

import torch
from torch import Tensor

from mmfct.functional.distance import check_matrices, ranking_terms
from mmfct.utils.distances import check_distance

_CELLS_PER_CHUNK = 2**24


@torch.no_grad()
def nearest_rows(
    query: Tensor, gallery: Tensor, k: int, *, distance: str = 'cosine', own_rows: Tensor | None = None
) -> Tensor:
    """Return the k nearest gallery rows of each query, the nearest first; among equally near ones, any.

    Args:
        query: Embeddings of shape (Q, D), of a floating type.
        gallery: Embeddings of shape (G, D).
        k: Number of neighbours.
        distance: One of `mmfct.utils.distances.DISTANCES`.
        own_rows: Row of each query itself in the gallery, int64 of shape (Q,), which is never its neighbour; -1 for a
            query that is not there; ``None`` if none is.

    Returns:
        Rows, int64 of shape (Q, k).

    Raises:
        ValueError: If the distance is unknown, the inputs are no matrices of one width, or the gallery has fewer than
            k rows beside the query itself.
    """
    check_distance(distance)
    check_matrices(query, gallery)
    most = len(gallery) - (own_rows is not None and bool((own_rows >= 0).any()))
    if not 1 <= k <= most:
        raise ValueError(f'`k` must lie in [1, {most}], the number of other items in the gallery, got {k}')
    offset, weight = ranking_terms(torch.linalg.vector_norm(gallery, dim=1), distance)
    found = torch.empty(len(query), k, dtype=torch.long, device=query.device)
    rows = max(1, _CELLS_PER_CHUNK // len(gallery))
    for start in range(0, len(query), rows):
        part = slice(start, start + rows)
        distances = torch.addcmul(offset, query[part] @ gallery.T, weight)
        if own_rows is not None:
            own = own_rows[part]
            inside = (own >= 0).nonzero().squeeze(1)
            distances[inside, own[inside]] = torch.inf
        found[part] = distances.topk(k, largest=False).indices
    return found


def neighbour_recall(found: Tensor, right: Tensor, k: int) -> Tensor:
    """Recall@k of each query: the share of the k right neighbours that are among the k found ones.

    With the neighbours in the new model's own gallery as the right ones, it scores an upgraded gallery without labels.

    Args:
        found: Rows that a search found, int64 of shape (Q, K), the nearest first, K at least k.
        right: Rows that it should find, of shape (Q, K'), likewise.
        k: Number of neighbours that count.

    Returns:
        Recall of shape (Q,), float64, in [0, 1].

    Raises:
        ValueError: If there are fewer than k neighbours, or of another number of queries.
    """
    if len(found) != len(right) or not 1 <= k <= min(found.shape[1], right.shape[1]):
        raise ValueError(
            f'`found` and `right` must have {k} neighbours of the same queries, got {tuple(found.shape)} and '
            f'{tuple(right.shape)}'
        )
    found, right = found[:, :k].contiguous(), right[:, :k].sort(dim=1).values
    place = torch.searchsorted(right, found).clamp(max=k - 1)
    return (right.gather(1, place) == found).double().mean(dim=1)
