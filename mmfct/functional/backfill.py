"""Orders in which the items of an upgraded gallery can be recomputed from their images.

Every function returns all rows, int64 of shape (G,), the most urgent first; ties keep their order.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmfct.functional.retrieval_scores import UNKNOWN

# Rows converted to float64 at a time.
_ROWS_PER_BLOCK = 16384


def order_by_uncertainty(log_variance: Tensor) -> Tensor:
    """Order by the log-variance that a transformation predicts, largest first.

    Source: FastFill (arXiv 2303.04766), section 3.3.

    Args:
        log_variance: Log-variances of shape (G,).

    Raises:
        ValueError: If they are not finite or not a vector.
    """
    if log_variance.dim() != 1 or not bool(torch.isfinite(log_variance).all()):
        got = f'{log_variance.dtype} of shape {tuple(log_variance.shape)}'
        raise ValueError(f'`log_variance` must be a finite vector, got {got}')
    return _largest_first(log_variance)


def order_by_class_mean(upgraded: Tensor, labels: Tensor) -> Tensor:
    """Order by the distance of an upgraded embedding to the mean of its class, largest first.

    Rows of an unknown class, labelled -1, have no such distance and come last. Source: lambda-Orthogonality (arXiv
    2509.16664).

    Args:
        upgraded: Embeddings of shape (G, D).
        labels: Integers of shape (G,).

    Raises:
        ValueError: If there is not one label for each row.
    """
    if labels.shape != (len(upgraded),):
        raise ValueError(f'`labels` must have shape ({len(upgraded)},), got {tuple(labels.shape)}')
    classes, members = labels.unique(return_inverse=True)
    sums = upgraded.new_zeros(len(classes), upgraded.shape[1], dtype=torch.float64)
    blocks = list(zip(upgraded.split(_ROWS_PER_BLOCK), members.split(_ROWS_PER_BLOCK), strict=True))
    for rows, classes_of_rows in blocks:
        sums.index_add_(0, classes_of_rows, rows.double())
    means = sums / members.bincount(minlength=len(classes))[:, None]
    away = torch.cat([_norms(rows, means[classes_of_rows]) for rows, classes_of_rows in blocks])
    return _largest_first(away.masked_fill(labels == UNKNOWN, -1.0))


def order_by_error(upgraded: Tensor, new: Tensor) -> Tensor:
    """Order by the distance between upgraded and new embedding, largest first, which only an oracle knows.

    Args:
        upgraded: Embeddings of shape (G, D).
        new: Embeddings of the same items by the new model, of shape (G, D).

    Raises:
        ValueError: If the shapes differ.
    """
    if upgraded.shape != new.shape:
        raise ValueError(f'`new` must have the shape {tuple(upgraded.shape)} of `upgraded`, got {tuple(new.shape)}')
    blocks = zip(upgraded.split(_ROWS_PER_BLOCK), new.split(_ROWS_PER_BLOCK), strict=True)
    return _largest_first(torch.cat([_norms(*block) for block in blocks]))


def order_at_random(size: int, seed: int = 0) -> Tensor:
    """Order at random, the baseline of the other orders.

    Args:
        size: Number G of rows.
        seed: The same seed gives the same order.
    """
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed))


def _norms(rows: Tensor, others: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows.double() - others.double(), dim=1)


def _largest_first(urgency: Tensor) -> Tensor:
    return torch.sort(urgency, descending=True, stable=True).indices
