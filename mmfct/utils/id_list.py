"""Text files of ids, one a line."""

from __future__ import annotations

from pathlib import Path


def read_id_list(path: Path, name: str) -> list[str]:
    """Read ids, in the order of their lines; bytes that are no text become what Python makes of them in file names.

    Args:
        path: The file.
        name: What messages call it.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f'`{name}` must be a text file of ids, one a line, got {str(path)!r}')
    text = path.read_text(encoding='utf-8', errors='surrogateescape')
    return [line for line in text.split('\n') if line]
