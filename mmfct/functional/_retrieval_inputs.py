"""Checks of what the retrieval metrics are given, and the mapping of ids to integers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Ids = Sequence[int] | Sequence[str] | np.ndarray | Tensor


def finite_norms(name: str, rows: Tensor) -> Tensor:
    """2-norms of rows of shape (N, D) as float64 of shape (N,); raises where one is not finite."""
    norms = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    bad = int((~norms.isfinite()).sum())
    if bad:
        raise ValueError(f'`{name}` must be finite, got {bad} rows with NaN, infinite or overflowing values')
    return norms


def check_labels(name: str, labels: Tensor, size: int) -> None:
    """Raise unless ``labels`` are integers of shape (size,)."""
    integer = not (labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool)
    if not integer or labels.shape != (size,):
        raise ValueError(
            f'`{name}` must be integers of shape ({size},), one per row, '
            f'got {labels.dtype} of shape {tuple(labels.shape)}'
        )


def check_counts(topk: Sequence[int], chunk_size: int | None) -> None:
    """Raise unless every ``topk`` and, where given, ``chunk_size`` is a positive integer."""
    if not all(_is_positive_int(k) for k in topk):
        raise ValueError(f'`topk` must hold positive integers, got {topk!r}')
    if chunk_size is not None and not _is_positive_int(chunk_size):
        raise ValueError(f'`chunk_size` must be a positive integer or None, got {chunk_size!r}')


def encode_ids(
    query_ids: Ids | None,
    gallery_ids: Ids | None,
    query_size: int,
    gallery_size: int,
) -> tuple[Tensor, Tensor] | None:
    """Map ids to integers that are equal where the ids are; None where no ids are given.

    Returns:
        int64 codes of shapes (Q,) and (G,).
    """
    if query_ids is None and gallery_ids is None:
        return None
    if query_ids is None or gallery_ids is None:
        missing = 'query_ids' if query_ids is None else 'gallery_ids'
        raise ValueError(f'`query_ids` and `gallery_ids` must be given together, got `{missing}` None')
    query_array = _id_array('query_ids', query_ids, query_size)
    gallery_array = _id_array('gallery_ids', gallery_ids, gallery_size)
    if query_array.dtype.kind != gallery_array.dtype.kind:
        raise ValueError(
            '`query_ids` and `gallery_ids` must be of one kind, '
            f'got {query_array.dtype.name} and {gallery_array.dtype.name}'
        )
    _, codes = np.unique(np.concatenate([query_array, gallery_array]), return_inverse=True)
    query_codes, gallery_codes = torch.from_numpy(codes).split([query_size, gallery_size])
    return query_codes, gallery_codes


def _id_array(name: str, ids: Ids, size: int) -> np.ndarray:
    """Ids as an array of shape (size,) of int64 or str."""
    array = ids.cpu().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
    if array.dtype == object:
        array = np.asarray(array.tolist())
    if array.shape != (size,) or array.dtype.kind not in 'iuU':
        raise ValueError(
            f'`{name}` must be integers or strings of shape ({size},), one per row, '
            f'got {array.dtype} of shape {array.shape}'
        )
    return array if array.dtype.kind == 'U' else array.astype(np.int64)


def _is_positive_int(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and value > 0
