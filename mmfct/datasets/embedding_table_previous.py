"""Reuse the columns of an embedding table whose encoders or settings have changed in part."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmfct.retrieval import Gallery, is_complete
from mmfct.retrieval.gallery.manifest import MANIFEST, read_manifest


class StoredColumn:
    """A column of a table on disk, of which slices are read.

    Args:
        gallery: The table.
        name: Name of the column.
    """

    def __init__(self, gallery: Gallery, name: str) -> None:
        self._gallery, self._name = gallery, name
        self.width = gallery.width(name)

    def __getitem__(self, rows: slice) -> np.ndarray:
        return self._gallery.rows(self._name, np.arange(rows.start, rows.stop))


def set_aside(path: str | Path, metadata: Mapping[str, Any]) -> None:
    """Make room for the table with these metadata: training on another one would be silently wrong.

    A table with columns that can be reused becomes ``<path>.previous``; any other one is removed.

    Args:
        path: Folder of the table.
        metadata: Metadata of the table to be made, with the fingerprints ``views`` and, by role, ``columns``.

    Raises:
        ValueError: If the folder holds a gallery that is not an embedding table.
    """
    path = Path(path)
    if (path / MANIFEST).exists():
        found = read_manifest(path).get('metadata', {})
        if 'num_views' not in found:
            raise ValueError(
                f'`path` must be a new folder or an embedding table, got another gallery in {str(path)!r}'
            )
        # A half-made table of an earlier version cannot be continued: it does not describe its columns.
        if found.get('fingerprint') != metadata['fingerprint'] or not (is_complete(path) or 'columns' in found):
            roles = _common_roles(path, metadata)
            what = f'the columns {", ".join(roles)} are taken over' if roles else 'is computed again'
            print_log(
                f'The embedding table {str(path)!r} was made from other weights, images or settings; {what}', 'current'
            )
            if roles:
                remove(path)
                path.rename(_previous(path))
            else:
                _remove_table(path)
    if is_complete(path) or not _common_roles(_previous(path), metadata):
        remove(path)


def reusable_columns(path: str | Path, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns that the table set aside has for the one at ``path``, with ids and labels; or none at all.

    Returns:
        `StoredColumn` by name.
    """
    previous = _previous(path)
    roles = _common_roles(previous, metadata)
    if not roles:
        return {}
    gallery = Gallery(previous)
    return {name: StoredColumn(gallery, name) for name in (*roles, 'id', 'label')}


def remove(path: str | Path) -> None:
    """Remove what was set aside of the table at ``path``."""
    previous = _previous(path)
    if (previous / MANIFEST).exists():
        _remove_table(previous)


def _previous(path: str | Path) -> Path:
    return Path(f'{path}.previous')


def _common_roles(path: Path, metadata: Mapping[str, Any]) -> list[str]:
    """List the roles whose columns in a complete table are those of the table with these metadata."""
    if not (path / MANIFEST).exists() or not is_complete(path):
        return []
    found = read_manifest(path).get('metadata', {})
    if found.get('views') != metadata['views']:
        return []
    columns = found.get('columns', {})
    return [role for role, fingerprint in metadata['columns'].items() if columns.get(role) == fingerprint]


def _remove_table(path: Path) -> None:
    manifest = path / MANIFEST
    # The manifest last: if this is killed, the rest is still recognised as a stale table.
    for entry in sorted(path.iterdir(), key=lambda entry: entry == manifest):
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()
    path.rmdir()
