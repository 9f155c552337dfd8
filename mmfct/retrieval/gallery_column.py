"""One column of a gallery: embeddings of one model, side-information, ids or labels."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np

_INTEGERS = tuple(f'{sign}int{bits}' for sign in ('', 'u') for bits in (8, 16, 32, 64))
_NUMBERS = ('bool', *_INTEGERS, 'float16', 'float32', 'float64')
_DTYPE = re.compile('|'.join((*_NUMBERS, '<U[1-9][0-9]{0,5}')))


@dataclass(frozen=True)
class Column:
    """Name, dtype and width of one column.

    Args:
        name: A plain identifier, because it becomes part of file names.
        dtype: Name of a bool, integer or float dtype, or ``'<U24'`` for texts of at most 24
            characters.
        width: Length of one row; ``None`` for a 1-D column such as labels.

    Raises:
        ValueError: If one of the three breaks its rule.
    """

    name: str
    dtype: str
    width: int | None

    def __post_init__(self) -> None:
        if not (self.name.isascii() and self.name.isidentifier()):
            raise ValueError(f'the name of a column must be an identifier, got {self.name!r}')
        if not isinstance(self.dtype, str) or not _DTYPE.fullmatch(self.dtype):
            raise ValueError(
                f'`dtype` of column {self.name!r} must be one of {", ".join(_NUMBERS)} or '
                f'<U with a number of characters, got {self.dtype!r}'
            )
        if self.width is not None:
            check_count(self.width, f'width of {self.name}')

    @property
    def numpy_dtype(self) -> np.dtype:
        """The dtype inside the files: little-endian on every machine."""
        return np.dtype(self.dtype).newbyteorder('<')

    def shape(self, rows: int) -> tuple[int, ...]:
        """Shape of that many rows: (rows, width), or (rows,) without a width."""
        return (rows,) if self.width is None else (rows, self.width)

    def file_name(self, shard: int) -> str:
        """Name of the file that holds this column of one shard."""
        return f'{self.name}-{shard:05d}.npy'


def check_count(value: Any, name: str) -> int:
    """Return ``value`` if it is a positive integer.

    Raises:
        ValueError: If it is not; ``name`` says what it counts.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f'`{name}` must be a positive integer, got {value!r}')
    return value
