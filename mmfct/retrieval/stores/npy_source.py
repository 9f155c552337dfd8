"""Vectors in a ``.npy`` file, with ids beside it, as a gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.shard import map_npy
from mmfct.retrieval.stores.columns import FLOATS, ChosenColumns
from mmfct.retrieval.stores.foreign import ForeignSource
from mmfct.retrieval.stores.keys import Keys
from mmfct.retrieval.stores.npy_keys import beside, read_file_keys, values_at
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.rows import ForeignRows, VectorKind, file_states
from mmfct.utils.files import file_sha256

_BATCH = 65536


class NpySource(ForeignSource):
    """Vectors of shape (N, D) in ``X.npy``, mapped into memory.

    Ids are in ``X.ids.npy`` (texts or integers), ``X.ids.txt`` (one per line), ``X.ids.csv`` or ``X.csv`` (with a
    header, and perhaps a column of labels); labels in ``X.labels.npy`` or ``X.labels.txt``, side-information of shape
    (N, S) in ``X.side.npy``. Labels in a text file that are all integers are read as such. The fingerprint is that of
    the content of all files.

    Args:
        path: ``X.npy``.
        options: Which columns to read, and which model made the vectors.

    Raises:
        FileNotFoundError: If it, or a file with ids, is missing.
        ValueError: If a file is damaged or holds something else, such as pickled objects, the numbers of rows differ,
            or several files hold ids or labels.
    """

    def __init__(self, path: str | Path, options: SourceOptions) -> None:
        self.path, self.where = Path(path), f'{str(path)!r}'
        if not self.path.is_file():
            raise FileNotFoundError(f'`path` must be a file of vectors, got {str(path)!r}')
        self._vectors = _vectors(self.path)
        self._keys_beside = read_file_keys(self.path, options.columns)
        side = beside(self.path, '.side.npy')
        has_side = side.is_file() and options.columns.side != ''
        self._side = _vectors(side) if has_side else None
        found = dict(ids=self._keys_beside.ids, labels=self._keys_beside.labels, side_info=self._side)
        for what, rows in found.items():
            if rows is not None and len(rows) != len(self._vectors):
                raise ValueError(
                    f'{self.where} must have one of the {what} beside it for each of its {len(self._vectors)} '
                    f'vectors, got {len(rows)}'
                )
        self._files = [self.path, *self._keys_beside.files, *([side] if has_side else [])]
        self._states = file_states(self._files)
        self.chosen = ChosenColumns(
            self.path.name, self._keys_beside.id_name, self._keys_beside.label_name, side.name if has_side else None
        )
        self._open(
            _kind(self._vectors),
            None if self._side is None else _kind(self._side),
            options.provenance_of(self.where),
            kind='npy',
            parse_labels=not isinstance(self._keys_beside.labels, np.ndarray),
            shard_rows=options.shard_rows,
        )

    def _identity(self) -> Any:
        return [file_sha256(file) for file in self._files]

    def _keys(self) -> Iterator[Keys]:
        for start in range(0, len(self._vectors), _BATCH):
            yield self._keys_at(start, min(start + _BATCH, len(self._vectors)))

    def _keys_at(self, start: int, stop: int) -> Keys:
        labels = self._keys_beside.labels
        return Keys(
            values_at(self._keys_beside.ids, start, stop), None if labels is None else values_at(labels, start, stop)
        )

    def _read(self, start: int, stop: int, keep: np.ndarray | None = None) -> ForeignRows:
        if file_states(self._files) != self._states:
            raise ValueError(f'{self.where} must not change while it is read, got other files; start again')
        side = None if self._side is None else np.array(self._side[start:stop])
        return ForeignRows(*self._keys_at(start, stop), np.array(self._vectors[start:stop]), side)


def _vectors(file: Path) -> np.ndarray:
    array = map_npy(file)
    if array.ndim != 2 or not array.size or array.dtype.kind != 'f' or array.dtype.itemsize > 8:
        raise ValueError(
            f'{file} must hold vectors of shape (N, D), float16, float32 or float64, got {array.dtype} of shape '
            f'{array.shape}; {FLOATS}'
        )
    return array


def _kind(array: np.ndarray) -> VectorKind:
    return VectorKind(array.dtype.newbyteorder('=').name, array.shape[1])
