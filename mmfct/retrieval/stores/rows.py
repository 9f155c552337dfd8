"""Rows of vectors as other programs store them, and their conversion to those of a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_SHARD_BYTES = 2**25
_MAX_SHARD_ROWS = 16384


class VectorKind(NamedTuple):
    """Dtype and width of vectors as they are stored; ``float64`` is read as float32."""

    dtype: str
    width: int

    @property
    def column(self) -> tuple[str, int]:
        """Dtype and width of the column of a gallery."""
        return ('float32' if self.dtype == 'float64' else self.dtype), self.width


class ForeignRows(NamedTuple):
    """Some rows as they are stored: ids and labels as of `Keys`, vectors of shape (N, D) and side vectors (N, S)."""

    ids: Sequence[Any]
    labels: Sequence[Any] | None
    vectors: np.ndarray
    side: np.ndarray | None


def as_stored(rows: np.ndarray, dtype: str, what: str) -> np.ndarray:
    """Return floats as ``dtype``, little-endian.

    Raises:
        ValueError: If a finite value becomes infinite.
    """
    with np.errstate(over='ignore'):
        converted = np.ascontiguousarray(rows, np.dtype(dtype).newbyteorder('<'))
    if rows.dtype.itemsize > converted.dtype.itemsize:
        lost = np.isinf(converted) & np.isfinite(rows)
        if lost.any():
            raise ValueError(f'{what} must fit into {dtype}, got {rows[lost][0]!r}; scale the vectors')
    return converted


def file_states(files: Sequence[Path]) -> list[tuple[int, int]]:
    """Return size and time of the last change of files, to notice changes while they are read."""
    return [(file.stat().st_size, file.stat().st_mtime_ns) for file in files]


def rows_per_shard(vectors: VectorKind, side: VectorKind | None) -> int:
    """Return a number of rows whose vectors fit in memory easily."""
    row_bytes = sum(np.dtype(kind.dtype).itemsize * kind.width for kind in (vectors, side) if kind is not None)
    return min(_MAX_SHARD_ROWS, max(1, _SHARD_BYTES // row_bytes))
