"""Input checks of the retrieval metrics, and integer codes for ids."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Ids = Sequence[int] | Sequence[str] | np.ndarray | Tensor


def finite_norms(name: str, rows: Tensor) -> Tensor:
    """2-norms of rows of shape (N, D), float64 of shape (N,); raises unless all are finite."""
    norms = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    # Above this, the products of two rows may overflow in float64.
    bad = int((~(norms < 1e150)).sum())
    if bad:
        raise ValueError(f'`{name}` must be finite, got {bad} rows with NaN or infinite values')
    return norms


def check_labels(name: str, labels: Tensor, size: int) -> None:
    """Raise unless the labels are integers of shape (size,)."""
    not_integer = labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool
    if not_integer or labels.shape != (size,):
        got = f'{labels.dtype} of shape {tuple(labels.shape)}'
        raise ValueError(f'`{name}` must be integers of shape ({size},), got {got}')


def check_counts(topk: Sequence[int], chunk_size: int | None) -> None:
    """Raise unless the ``topk`` and, where given, ``chunk_size`` are positive integers."""
    if not topk or not all(_is_positive_int(k) for k in topk):
        raise ValueError(f'`topk` must hold positive integers, got {topk!r}')
    if chunk_size is not None and not _is_positive_int(chunk_size):
        raise ValueError(f'`chunk_size` must be a positive integer or None, got {chunk_size!r}')


def encode_ids(
    query_ids: Ids | None,
    gallery_ids: Ids | None,
    query_size: int,
    gallery_size: int,
) -> tuple[Tensor, Tensor] | None:
    """Map ids to integers that are equal where the ids are.

    Args:
        query_ids: Integers or strings of shape (Q,), or None.
        gallery_ids: Integers or strings of shape (G,), or None.
        query_size: Q.
        gallery_size: G.

    Returns:
        int64 of shapes (Q,) and (G,), or None where no ids are given.
    """
    if query_ids is None and gallery_ids is None:
        return None
    if query_ids is None or gallery_ids is None:
        key = 'query_ids' if query_ids is None else 'gallery_ids'
        raise ValueError(f'`query_ids` and `gallery_ids` must be given together, got `{key}` None')
    left = _id_array('query_ids', query_ids, query_size)
    right = _id_array('gallery_ids', gallery_ids, gallery_size)
    if left.dtype.kind != right.dtype.kind:
        got = f'{left.dtype} and {right.dtype}'
        raise ValueError(f'`query_ids` and `gallery_ids` must be of one kind, got {got}')
    _, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    return torch.from_numpy(codes[:query_size]), torch.from_numpy(codes[query_size:])


def _id_array(name: str, ids: Ids, size: int) -> np.ndarray:
    """Ids as an array of shape (size,) of int64 or strings."""
    array = ids.cpu().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
    if array.dtype == object:
        array = np.asarray(array.tolist())
    if array.shape != (size,) or array.dtype.kind not in 'iuU':
        got = f'{array.dtype} of shape {array.shape}'
        raise ValueError(f'`{name}` must be integers or strings of shape ({size},), got {got}')
    return array if array.dtype.kind == 'U' else array.astype(np.int64)


def _is_positive_int(value: int) -> bool:
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_int and bool(value > 0)
