"""Distances between embeddings; smaller is nearer."""

from __future__ import annotations

import torch
from torch import Tensor

from mmfct.functional._retrieval_inputs import Rows, as_tensor
from mmfct.utils.distances import check_distance


@torch.no_grad()
def pairwise_distances(query: Rows, gallery: Rows, distance: str = 'l2') -> Tensor:
    """Distances between every query row and every gallery row.

    They are float64, rounded once to the type returned. Equal rows are merged first, and the rest
    put in sorted order. So within a call equal rows have exactly equal distances, and another
    order of the rows only reorders the result. Between calls of other shapes the last bit of a
    float64 product may differ; rounding to float32 hides that in all but about one pair in 10^8.
    :func:`~mmfct.functional.query_scores` does not use this function and is not affected.

    Args:
        query: Embeddings of shape (Q, D), any floating type; a tensor or an array.
        gallery: Embeddings of shape (G, D).
        distance: ``'l2'``, the Euclidean distance of the raw vectors (not squared); ``'cosine'``,
            1 minus the product of the vectors divided by their 2-norms (1 if one is zero); or
            ``'inner'``, minus the product.

    Returns:
        Distances of shape (Q, G), smaller is nearer; float64 for float64 inputs, else float32.

    Raises:
        ValueError: If the distance is unknown, or the inputs are not matrices of one width.
    """
    check_distance(distance)
    left, right = as_tensor('query', query), as_tensor('gallery', gallery)
    check_matrices(left, right)
    dtype = torch.promote_types(torch.promote_types(left.dtype, right.dtype), torch.float32)
    left, query_at = torch.unique(left.double(), dim=0, return_inverse=True)
    right, gallery_at = torch.unique(right.double(), dim=0, return_inverse=True)
    if distance == 'l2':
        # Not by products: these cancel where long vectors are close to one another.
        distances = torch.cdist(left, right, compute_mode='donot_use_mm_for_euclid_dist')
    elif distance == 'cosine':
        distances = 1 - _unit_rows(left) @ _unit_rows(right).T
    else:
        distances = -(left @ right.T)
    return distances.to(dtype)[query_at][:, gallery_at]


def ranking_terms(norms: Tensor, distance: str) -> tuple[Tensor, Tensor]:
    """Terms by which ``offset + weight * (query . row)`` ranks the rows, for any query.

    The norm of the query, a square root and a constant are left out: they do not change the order.

    Args:
        norms: 2-norms of the gallery rows, shape (G,).
        distance: One of `mmfct.utils.distances.DISTANCES`.

    Returns:
        ``offset`` and ``weight`` of shape (G,); the weights are negative.
    """
    if distance == 'l2':
        return norms.square(), torch.full_like(norms, -2)
    if distance == 'cosine':
        return torch.zeros_like(norms), torch.where(norms > 0, -1 / norms, -1)
    return torch.zeros_like(norms), torch.full_like(norms, -1)


def check_matrices(query: Tensor, gallery: Tensor) -> None:
    """Raise unless both are matrices of floats, of one width and not empty."""
    for name, rows in (('query', query), ('gallery', gallery)):
        got = f'{rows.dtype} of shape {tuple(rows.shape)}'
        if rows.dim() != 2 or not rows.is_floating_point():
            raise ValueError(f'`{name}` must be 2-D and of a floating type, got {got}')
        if not rows.numel():
            raise ValueError(f'`{name}` must not be empty, got {got}')
    if query.shape[1] != gallery.shape[1]:
        got = f'{query.shape[1]} and {gallery.shape[1]}'
        raise ValueError(f'`query` and `gallery` must have the same number of columns, got {got}')


def _unit_rows(rows: Tensor) -> Tensor:
    """Divide rows of shape (N, D) by their 2-norms; zero rows stay zero."""
    norms = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
    return rows / torch.where(norms > 0, norms, 1)
