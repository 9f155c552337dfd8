"""Many texts in little memory: their bytes one after the other."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np


class PackedTexts:
    """Texts that are decoded when they are needed.

    Args:
        texts: The texts.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        data, ends = bytearray(), array('q', [0])
        for text in texts:
            data += text.encode()
            ends.append(len(data))
        self._data, self._ends = bytes(data), np.frombuffer(ends, np.int64)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def rows(self, start: int, stop: int) -> list[str]:
        """Return the texts from number ``start`` up to, not including, ``stop``."""
        bounds = self._ends[start : stop + 1].tolist()
        return [self._data[first:last].decode() for first, last in zip(bounds[:-1], bounds[1:], strict=True)]


def read_lines(path: Path) -> PackedTexts:
    """Read a file with one text per line, in UTF-8, perhaps with a byte order mark.

    Raises:
        ValueError: If it is no text.
    """
    try:
        with open(path, encoding='utf-8-sig', newline=None) as file:
            return PackedTexts(line.removesuffix('\n') for line in file)
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} must be text in UTF-8, one per line, got other bytes: {error}') from error
