"""Inputs of the retrieval metrics: arrays as tensors, checks, and integer codes for ids and groups."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mmfct.functional.retrieval_scores import UNKNOWN

Rows = np.ndarray | Tensor
Ids = Sequence[int] | Sequence[str] | np.ndarray | Tensor

_NUMBERING = '; number the classes, such as by `numpy.unique(labels, return_inverse=True)`'


def as_tensor(name: str, values: Rows) -> Tensor:
    """Return a tensor as it is, and an array, also one that is mapped from a file, as a tensor.

    Nothing writes to the result: it shares the memory of a read-only array.

    Raises:
        ValueError: If the values are no numbers.
    """
    if isinstance(values, Tensor):
        return values
    array = np.asarray(values)
    if array.dtype.kind not in 'biuf' or array.dtype.itemsize > 8:
        repair = _NUMBERING if name.endswith('labels') else ''
        raise ValueError(f'`{name}` must be a tensor or an array of numbers, got {array.dtype}{repair}')
    # Torch takes neither another byte order nor negative strides.
    array = np.ascontiguousarray(array.astype(array.dtype.newbyteorder('='), copy=False)).reshape(array.shape)
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'The given NumPy array is not writable')
        return torch.from_numpy(array)


def finite_norms(name: str, rows: Tensor) -> Tensor:
    """2-norms of rows of shape (N, D), float64 of shape (N,); raises unless all are finite."""
    norms = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
    # Above this, the products of two rows may overflow in float64.
    bad = int((~(norms < 1e150)).sum())
    if bad:
        raise ValueError(f'`{name}` must be finite, got {bad} rows with NaN or infinite values')
    return norms


def check_labels(name: str, labels: Tensor, size: int) -> Tensor:
    """Return labels as int64; raise unless they are of shape (size,), classes from 0 or -1 where it is not known."""
    not_integer = labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool
    if not_integer or labels.shape != (size,):
        got = f'{labels.dtype} of shape {tuple(labels.shape)}'
        raise ValueError(f'`{name}` must be integers of shape ({size},), got {got}')
    labels = labels.to(torch.int64)
    if size and int(labels.min()) < UNKNOWN:
        raise ValueError(
            f'`{name}` must be classes from 0, or -1 for an unknown one, got {int(labels.min())}{_NUMBERING}'
        )
    return labels


def check_counts(topk: Sequence[int], chunk_size: int | None) -> None:
    """Raise unless the ``topk`` and, where given, ``chunk_size`` are positive integers."""
    if not topk or not all(_is_positive_int(k) for k in topk):
        raise ValueError(f'`topk` must hold positive integers, got {topk!r}')
    if chunk_size is not None and not _is_positive_int(chunk_size):
        raise ValueError(f'`chunk_size` must be a positive integer or None, got {chunk_size!r}')


def encode(name: str, query: Ids | None, gallery: Ids | None, sizes: tuple[int, int]) -> tuple[Tensor, Tensor] | None:
    """Map ids or groups to integers that are equal where these are.

    Args:
        name: ``ids`` or ``groups``, for messages.
        query: Integers or strings of shape (Q,), or None.
        gallery: Integers or strings of shape (G,), or None.
        sizes: Q and G.

    Returns:
        int64 of shapes (Q,) and (G,), or None where none are given.
    """
    if query is None and gallery is None:
        return None
    if query is None or gallery is None:
        missing = f'query_{name}' if query is None else f'gallery_{name}'
        raise ValueError(f'`query_{name}` and `gallery_{name}` must be given together, got `{missing}` None')
    left = _id_array(f'query_{name}', query, sizes[0])
    right = _id_array(f'gallery_{name}', gallery, sizes[1])
    if left.dtype.kind != right.dtype.kind:
        got = f'{left.dtype} and {right.dtype}'
        raise ValueError(f'`query_{name}` and `gallery_{name}` must be of one kind, got {got}')
    _, codes = np.unique(np.concatenate([left, right]), return_inverse=True)
    return torch.from_numpy(codes[: sizes[0]]), torch.from_numpy(codes[sizes[0] :])


def _id_array(name: str, ids: Ids, size: int) -> np.ndarray:
    """Ids as an array of shape (size,) of int64 or strings."""
    array = ids.cpu().numpy() if isinstance(ids, Tensor) else np.asarray(ids)
    if array.dtype.kind in 'OT':  # 'T': numpy's strings of any length
        array = np.asarray(array.tolist())
    if array.shape != (size,) or array.dtype.kind not in 'iuU':
        got = f'{array.dtype} of shape {array.shape}'
        raise ValueError(f'`{name}` must be integers or strings of shape ({size},), got {got}')
    return array if array.dtype.kind == 'U' else array.astype(np.int64)


def _is_positive_int(value: int) -> bool:
    is_int = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_int and bool(value > 0)
