"""Columns on a command line, of all sets or of one."""

from __future__ import annotations

from collections.abc import Collection, Sequence

QUERY, GALLERY = 'query', 'gallery'


def named_columns(words: Sequence[str], names: Collection[str]) -> dict[str, str]:
    """Read words written ``COLUMN``, for all sets, ``NAME=COLUMN``, or ``query:NAME=COLUMN``, ``gallery:NAME=COLUMN``.

    Args:
        words: The words.
        names: Names of all sets.

    Returns:
        Column by ``NAME`` or ``query:NAME``; that of all sets by an empty name.

    Raises:
        ValueError: If a set is unknown, or a column is named twice for one.
    """
    columns: dict[str, str] = {}
    for word in words:
        name, equals, column = word.partition('=')
        if not equals:
            name, column = '', word
        elif name.removeprefix(f'{QUERY}:').removeprefix(f'{GALLERY}:') not in names:
            raise ValueError(f'a column of one set must be written NAME=COLUMN, of {", ".join(names)}, got {word!r}')
        if name in columns:
            raise ValueError(
                f'a set has one column of a kind, got {columns[name]!r} and {column!r} for {name or "all"}'
            )
        columns[name] = column
    return columns


def column_of(columns: dict[str, str], kind: str, name: str) -> str | None:
    """Return the column of a set among those of `named_columns`; ``None`` if none is named."""
    return columns.get(f'{kind}:{name}', columns.get(name, columns.get('')))
