"""Files of ids, one a line, and ids that occur twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.utils.files import write_atomically


def read_ids(path: Path) -> np.ndarray:
    """Read the ids of the items that are embedded already: sorted, none twice, of shape (N,).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no id.
    """
    if not path.is_file():
        raise FileNotFoundError(f'`have` must be a text file of ids, one a line, got {str(path)!r}')
    # Bytes that are no text become what Python makes of them in names of files.
    text = path.read_text(encoding='utf-8', errors='surrogateescape')
    ids = sorted({line for line in text.split('\n') if line})
    if not ids:
        raise ValueError(f'`have` must hold an id in a line, got the empty file {str(path)!r}')
    return np.array(ids)


def write_ids(ids: list[str], path: Path) -> None:
    """Write ids, one a line.

    Raises:
        ValueError: If an id is empty or has several lines.
    """
    for text in ids:
        if not text or '\n' in text:
            raise ValueError(f'an id must be one line of text to be written to {str(path)!r}, got {text!r}')
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ''.join(f'{text}\n' for text in ids).encode(errors='surrogateescape'))


def repeated_row(source: GallerySource, hashes: np.ndarray) -> int | None:
    """Return a row whose id another row has too; ``None`` if all ids differ.

    Args:
        source: The gallery.
        hashes: Hash of each id, int64 of shape (G,).
    """
    order = np.argsort(hashes, kind='stable')
    same = np.flatnonzero(hashes[order[1:]] == hashes[order[:-1]])
    for place in same.tolist():  # the hash of different ids is hardly ever the same
        first, second = source.rows('id', order[place : place + 2]).tolist()
        if first == second:
            return int(order[place])
    return None
