"""Addresses of vector databases on the command line: which database, and which table or collection of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

KINDS = ('lancedb', 'qdrant')
_EXAMPLES = 'lancedb:FOLDER/TABLE, qdrant:http://HOST:6333/COLLECTION or qdrant:FOLDER/COLLECTION'


@dataclass(frozen=True)
class StoreAddress:
    """A table or collection of a vector database.

    Args:
        kind: One of `KINDS`.
        root: The database: a folder, or a URL such as ``http://localhost:6333`` or ``s3://bucket/folder``.
        name: Its table or collection.
        column: The column of vectors, or the named vector, after ``#``; ``None`` if none is named.
    """

    kind: str
    root: str
    name: str
    column: str | None = None

    def __str__(self) -> str:
        return f'{self.kind}:{self.root}/{self.name}' + ('' if self.column is None else f'#{self.column}')

    @property
    def is_local(self) -> bool:
        """Whether the database is a folder."""
        return '://' not in self.root

    @property
    def table(self) -> StoreAddress:
        """The same table or collection, without a column."""
        return replace(self, column=None)


def is_store(text: str | Path) -> bool:
    """Whether a text is the address of a table or collection, and no path."""
    return isinstance(text, str) and text.partition(':')[0] in KINDS


def parse_store(text: str) -> StoreAddress:
    """Parse ``KIND:DATABASE/TABLE`` or ``KIND:DATABASE/TABLE#COLUMN``.

    Raises:
        ValueError: If it is something else.
    """
    kind, _, rest = text.partition(':')
    root, slash, last = rest.rstrip('/').rpartition('/')
    name, hash_sign, column = last.partition('#')
    scheme, _, host = root.partition('://')
    is_url = '://' in rest
    complete = root and slash and name and (not is_url or (scheme and host)) and bool(hash_sign) == bool(column)
    if kind not in KINDS or not complete:
        raise ValueError(f'a table or collection must be given as {_EXAMPLES}, got {text!r}')
    return StoreAddress(kind, root, name, column or None)


def absolute_source(text: str) -> str:
    """Return a path, or the address of a database in a folder, as seen from any working directory."""
    if not is_store(text):
        return os.path.abspath(text)
    address = parse_store(text)
    return str(replace(address, root=os.path.abspath(address.root)) if address.is_local else address)


def belongs_to(path: str | Path, source: str | Path) -> bool:
    """Whether a path is a source, lies in its folder, or is a file beside ``X.npy``, such as ``X.ids.txt``.

    Args:
        path: A path that is to be written.
        source: A path, or the address of a database, that is read.
    """
    if is_store(source):
        address = parse_store(str(source))
        if not address.is_local:
            return False
        # Files beside a database are not of it.
        source = Path(address.root, f'{address.name}.lance' if address.kind == 'lancedb' else 'collection')
    path, source = Path(path).resolve(), Path(source).resolve()
    beside = source.suffix == '.npy' and path.parent == source.parent and path.name.startswith(f'{source.stem}.')
    return source in (path, *path.parents) or beside
