"""Columns of Arrow, in which Parquet and LanceDB hand out rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmfct.retrieval.stores.columns import INTEGER, NUMBER, TEXT, VECTOR
from mmfct.retrieval.stores.present import SKIP
from mmfct.retrieval.stores.rows import VectorKind


def kind_of(kind: Any) -> str:
    """Return the kind of a column, see `choose_columns`, or the name of its type."""
    from pyarrow import types

    if _is_list(kind):
        return VECTOR if types.is_floating(kind.value_type) else str(kind)
    if types.is_dictionary(kind):
        return kind_of(kind.value_type)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return TEXT
    if types.is_integer(kind):
        return INTEGER
    return NUMBER if types.is_floating(kind) else str(kind)


def vector_kind(kind: Any, first: Any, what: str) -> VectorKind:
    """Describe a column of vectors.

    Args:
        kind: Its type.
        first: Its first value that is not missing, read where the type does not say the width.
        what: What messages call it.

    Raises:
        ValueError: If it is empty, or there is none.
    """
    from pyarrow import types

    width = kind.list_size if types.is_fixed_size_list(kind) else len(first or ())
    if not width:
        raise ValueError(f'{what} must hold a vector in every row, got none, or an empty one first')
    return VectorKind(np.dtype(kind.value_type.to_pandas_dtype()).name, width)


def vector_rows(values: Any, width: int, what: str, advice: str = SKIP) -> np.ndarray:
    """Return lists of floats as an array of shape (N, width), of their own dtype.

    Args:
        values: An ``Array`` or ``ChunkedArray`` of lists.
        width: Length of every list.
        what: What messages call the column.
        advice: What to do about rows without a vector.

    Raises:
        ValueError: If a vector or value is missing, or a vector has another length.
    """
    chunks = values.chunks if hasattr(values, 'chunks') else [values]
    return np.concatenate([_rows(chunk, width, what, advice) for chunk in chunks])


def values_of(column: Any) -> list[Any]:
    """Return a column of ids or labels as Python's values."""
    values: list[Any] = column.to_pylist()
    return values


def _rows(values: Any, width: int, what: str, advice: str) -> np.ndarray:
    if values.null_count:
        raise ValueError(
            f'{what} must hold a vector in every row, got {values.null_count} without one; embed these items, or '
            f'{advice}'
        )
    lengths = values.value_lengths().to_numpy(zero_copy_only=False)
    wrong = lengths[lengths != width]
    if wrong.size:
        raise ValueError(
            f'all vectors of {what} must have width {width}, got {wrong.size} others, such as one of {wrong[0]}; '
            'remove these rows, or embed them again'
        )
    flat = values.flatten()
    if flat.null_count:
        raise ValueError(
            f'{what} must have no missing values, got {flat.null_count}; remove or embed these rows again'
        )
    rows: np.ndarray = flat.to_numpy(zero_copy_only=False)
    return rows.reshape(-1, width)


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
