"""Files of ids, one a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
        ValueError: If an id has several lines.
    """
    for text in ids:
        if '\n' in text:
            raise ValueError(f'an id must be one line of text to be written to {str(path)!r}, got {text!r}')
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ''.join(f'{text}\n' for text in ids).encode(errors='surrogateescape'))
