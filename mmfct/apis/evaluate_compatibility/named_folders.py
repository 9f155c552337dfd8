"""Named folders on a command line."""

from __future__ import annotations

from collections.abc import Sequence


def named_folders(words: Sequence[str]) -> dict[str, str]:
    """Read words written ``NAME=DIR``.

    Raises:
        ValueError: If a word is written otherwise, or a name occurs twice.
    """
    folders: dict[str, str] = {}
    for word in words:
        name, _, folder = word.partition('=')
        if not name or not folder:
            raise ValueError(f'a set must be written NAME=DIR, such as old=galleries/old, got {word!r}')
        if name in folders:
            raise ValueError(f'names must be different, got {name!r} for {folders[name]!r} and {folder!r}')
        folders[name] = folder
    return folders
