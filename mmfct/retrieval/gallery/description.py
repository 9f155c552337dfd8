"""What a gallery consists of: columns, rows in shards, and metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from mmfct.retrieval.gallery.texts import TEXT
from mmfct.utils.fingerprint import canonical_json

# Entry of the metadata with the names of labels, where there are any.
LABEL_NAMES = 'label_names'
# Entries of the metadata that are only true of the very items that a gallery was made of.
PART, SKIPPED = 'part', 'skipped'
OF_ITEMS = ('images', PART, SKIPPED)
_INTEGERS = tuple(f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64))
_NUMBERS = ('bool', *_INTEGERS, 'float16', 'float32', 'float64')
_MAX_SHARDS = 1_000_000
_TEXT_BYTES = 64
_DTYPE = re.compile('|'.join((*_NUMBERS, '<U[1-9][0-9]{0,5}', TEXT)))


@dataclass(frozen=True)
class Column:
    """One column, such as embeddings, side-information, ids or labels.

    Args:
        name: An identifier, because it becomes part of file names.
        dtype: Name of a bool, integer or float dtype, ``'<U24'`` for texts of at most 24 characters, or ``'text'`` for
            texts of any length, see `mmfct.retrieval.gallery.texts`.
        width: Length of one row; ``None`` for a 1-D column such as labels.

    Raises:
        ValueError: If one of the three is invalid.
    """

    name: str
    dtype: str
    width: int | None

    def __post_init__(self) -> None:
        if not (self.name.isascii() and self.name.isidentifier()):
            raise ValueError(f'the name of a column must be an identifier, got {self.name!r}')
        if not isinstance(self.dtype, str) or not _DTYPE.fullmatch(self.dtype):
            raise ValueError(
                f'`dtype` of column {self.name!r} must be one of {", ".join(_NUMBERS)}, {TEXT} or '
                f'<U with a number of characters, got {self.dtype!r}'
            )
        if self.is_text and self.width is not None:
            raise ValueError(f'`width` of column {self.name!r} must be None for texts, got {self.width!r}')
        if self.width is not None:
            _check_count(self.width, f'width of {self.name}')

    @property
    def is_text(self) -> bool:
        """Whether rows are texts of any length, in memory an array of Python's strings."""
        return self.dtype == TEXT

    @property
    def numpy_dtype(self) -> np.dtype:
        """The dtype of rows: little-endian on every machine, as in the files."""
        return np.dtype(object if self.is_text else self.dtype).newbyteorder('<')

    @property
    def row_bytes(self) -> int:
        """Size of a row in a file; of texts of any length, a guess."""
        return _TEXT_BYTES if self.is_text else self.numpy_dtype.itemsize * (self.width or 1)

    def shape(self, rows: int) -> tuple[int, ...]:
        """Shape of ``rows`` rows: (rows, width), or (rows,) without a width."""
        return (rows,) if self.width is None else (rows, self.width)

    def file_name(self, shard: int) -> str:
        """Name of the file of this column in one shard."""
        return f'{self.name}-{shard:05d}.npy'


class Shard(NamedTuple):
    """Shard number ``index``: the rows from ``start`` up to, not including, ``stop``."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which is not used
    start: int
    stop: int


class GalleryDescription:
    """Columns, rows, shards and metadata of a gallery.

    Args:
        columns: Dtype and width by name, see :class:`Column`.
        num_rows: Number of rows of every column.
        shard_rows: Rows per shard; the last shard may have fewer.
        metadata: What else a reader must know, as plain JSON.

    Raises:
        ValueError: If an argument is invalid.
        TypeError: If ``metadata`` is not plain JSON.
    """

    def __init__(
        self,
        columns: Mapping[str, tuple[str, int | None]],
        num_rows: int,
        shard_rows: int,
        metadata: Mapping[str, Any],
    ) -> None:
        if not columns:
            raise ValueError(f'`columns` must name at least one column, got {columns!r}')
        self.columns = {name: Column(name, *column) for name, column in columns.items()}
        self.num_rows = _check_count(num_rows, 'num_rows')
        self.shard_rows = _check_count(shard_rows, 'shard_rows')
        if num_rows > _MAX_SHARDS * shard_rows:  # the shards of a hostile manifest would fill the memory
            raise ValueError(f'`shard_rows` must make at most {_MAX_SHARDS:,} shards, got {shard_rows} of {num_rows}')
        # A copy, in which tuples are lists as in a file that is read back.
        self.metadata = json.loads(canonical_json(metadata, name='metadata'))
        self.shards = [
            Shard(index, start, min(start + shard_rows, num_rows))
            for index, start in enumerate(range(0, num_rows, shard_rows))
        ]

    @classmethod
    def from_json(cls, entries: Mapping[str, Any]) -> GalleryDescription:
        """Read the description from the entries of a manifest.

        Raises:
            ValueError: If an entry is missing or malformed.
        """
        try:
            columns = {name: (column['dtype'], column['width']) for name, column in entries['columns'].items()}
            return cls(columns, entries['num_rows'], entries['shard_rows'], entries['metadata'])
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f'the manifest must describe a gallery, got {error!r}') from error

    def to_json(self) -> dict[str, Any]:
        """Return the entries of a manifest that describe the gallery."""
        columns = {column.name: {'dtype': column.dtype, 'width': column.width} for column in self.columns.values()}
        return {
            'columns': columns,
            'num_rows': self.num_rows,
            'shard_rows': self.shard_rows,
            'metadata': self.metadata,
        }

    def differences(self, other: GalleryDescription) -> list[str]:
        """Name the entries in which two descriptions differ, such as ``metadata.distance``."""
        mine, theirs = self._flat(), other._flat()
        names = sorted(mine.keys() | theirs.keys())
        return [name for name in names if mine.get(name) != theirs.get(name)]

    def _flat(self) -> dict[str, str]:
        """Return all entries as text, in which 1 differs from 1.0; columns and metadata one by one."""
        entries = self.to_json()
        for group in ('columns', 'metadata'):
            entries.update({f'{group}.{name}': item for name, item in entries.pop(group).items()})
        return {name: canonical_json(item) for name, item in entries.items()}


def _check_count(value: Any, name: str) -> int:
    """Return ``value`` if it is a positive integer; ``name`` says what it counts."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f'`{name}` must be a positive integer, got {value!r}')
    return value


def label_names(metadata: Mapping[str, Any]) -> dict[int, str]:
    """Return the names of labels that the metadata of a gallery has; empty if there are none."""
    return {int(label): name for label, name in (metadata.get(LABEL_NAMES) or {}).items()}


def merge_label_names(galleries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Return the names of the labels of all galleries, whose metadata are given by where they are.

    Raises:
        ValueError: If a number has two names.
    """
    names: dict[str, str] = {}
    for where, metadata in galleries.items():
        for number, name in (metadata.get(LABEL_NAMES) or {}).items():
            if names.setdefault(number, name) != name:
                raise ValueError(
                    f'a label must mean one class in all galleries, got {number} for {names[number]!r} and, in '
                    f'{where!r}, for {name!r}; leave the labels out, with `--label-column` or `--common-columns`, or '
                    'number the classes alike'
                )
    return names
