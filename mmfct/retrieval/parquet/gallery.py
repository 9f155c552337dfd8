"""Read a gallery from the Parquet that `write_parquet` wrote, and the description that is noted in it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import OF_ITEMS, GalleryDescription
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.gallery.shard import count_bad_rows
from mmfct.retrieval.parquet.columns import arrow_module, column_names, describe_columns, numpy_rows, open_parquet

_SUFFIXES = ('.parquet', '.parq', '.pq')
# Key, in the metadata of the schema, of the description from which the same gallery can be written again.
NOTES = b'mmfct'
FORMAT_VERSION = 1
# The end of messages about rows that are not those that were written.
CHANGED = (
    'a file is missing or damaged, or another program has changed it; to make a gallery of the rows that are there '
    'now, run `mmfct convert` with `--accept-changes`'
)


class ParquetGallery(GallerySource):
    """A gallery in Parquet, read one shard at a time: memory holds the last one.

    Args:
        path: A file, or a folder of Parquet files, see `find_parquet`.

    Raises:
        FileNotFoundError: If there is no Parquet.
        ImportError: If pyarrow is not installed.
        ValueError: If it is damaged, or `write_parquet` did not write it with a row group per shard.
    """

    def __init__(self, path: str | Path) -> None:
        arrow_module()
        self.path = Path(path)
        files = list_parquet(self.path)
        self._description, fingerprint = describe_gallery(files, self.path)
        if fingerprint is None:
            raise ValueError(
                f'{str(path)!r} must note the fingerprint of its gallery, which an earlier version did not; make a '
                'gallery of it with `mmfct convert`'
            )
        self._fingerprint = fingerprint
        # File and row group of each shard.
        self._groups: list[tuple[Path, int]] = []
        sizes = []
        for name in files:
            with open_parquet(name) as file:
                for group in range(file.num_row_groups):
                    self._groups.append((name, group))
                    sizes.append(file.metadata.row_group(group).num_rows)
        if sizes != [stop - start for _, start, stop in self.shards]:
            raise ValueError(
                f'{str(path)!r} must have a row group for each shard of its gallery, got {len(sizes)} of other sizes; '
                'make a gallery of it with `mmfct convert`'
            )
        self._loaded: tuple[int, dict[str, np.ndarray]] = (-1, {})

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the manifest of the gallery that was written as Parquet."""
        return self._fingerprint

    def verify_shard(self, index: int) -> None:
        """Read and check one shard, see `GallerySource.verify_shard`.

        Raises:
            ValueError: If it cannot be read, or has nulls or rows with NaN or infinite values.
        """
        for name, rows in self._read_shard(index).items():
            bad = count_bad_rows(rows)
            if bad:
                raise ValueError(f'`{name}` in {self.path} must be finite, got {bad} rows with NaN or infinite values')

    def shard(self, name: str, index: int) -> np.ndarray:
        """Return one shard of a column, see `GallerySource.shard`."""
        column = self._column(name)
        return self._read_shard(index)[column.name]

    def _read_shard(self, index: int) -> dict[str, np.ndarray]:
        if self._loaded[0] != index:
            name, group = self._groups[index]
            self._loaded = (-1, {})  # before the next one is read: only one is in memory
            columns = self._description.columns
            try:
                with open_parquet(name) as file:
                    table = file.read_row_group(group, columns=list(columns))
            except OSError as error:
                raise ValueError(f'{name} must be whole, got {error}') from error
            self._loaded = (index, {key: numpy_rows(table[key], column) for key, column in columns.items()})
        return self._loaded[1]


def list_parquet(path: Path) -> list[Path]:
    """List a file, or the Parquet files of a folder and its subfolders in the order of their paths.

    Raises:
        FileNotFoundError: If there is none.
    """
    names = find_parquet(path)[0] if path.is_dir() else [path]
    if not names or not names[0].is_file():
        raise FileNotFoundError(f'`path` must be a Parquet file or a folder of *.parquet, got {str(path)!r}')
    return names


def find_parquet(path: Path) -> tuple[list[Path], list[Path]]:
    """Find the Parquet files of a folder and its subfolders.

    Args:
        path: The folder.

    Returns:
        These files; and all others, among them those whose own name or that of a subfolder begins with a dot or an
        underscore: programs keep logs and temporary files under such names. Both in the order of their paths.
    """
    files: tuple[list[Path], list[Path]] = ([], [])
    for file in sorted(path.rglob('*')):
        if file.is_file():
            hidden = any(part.startswith(('.', '_')) for part in file.relative_to(path).parts)
            files[hidden or file.suffix.lower() not in _SUFFIXES].append(file)
    return files


def describe_gallery(files: Sequence[Path], path: str | Path) -> tuple[GalleryDescription, str | None]:
    """Read the description of a gallery from its Parquet, and check that no file is missing or of another gallery.

    Args:
        files: The Parquet files.
        path: What messages call them.

    Returns:
        The description, and the fingerprint of the gallery or ``None``: an earlier version did not note it.

    Raises:
        ValueError: If they are not those of one gallery.
    """
    notes, numbers = zip(*map(read_notes, files), strict=True)
    entries = _parse_notes(notes, path)
    description = GalleryDescription.from_json(entries)
    if sum(numbers) != description.num_rows:
        raise ValueError(f'{str(path)!r} must hold {description.num_rows} rows, got {sum(numbers)}: {CHANGED}')
    return description, entries.get('fingerprint')


def describe_changed(files: Sequence[Path], path: str | Path) -> GalleryDescription:
    """Describe the gallery of Parquet that another program has changed since `write_parquet` wrote it.

    Rows may be gone, added, changed or in another order, and columns gone; models and distance are those that are
    noted. An entry ``changed_from`` of the metadata says from which gallery.

    Args:
        files: The Parquet files.
        path: What messages call them.

    Raises:
        ValueError: If they are not those of one gallery, hold no row, or lack a column that a gallery needs.
    """
    notes, numbers = zip(*map(read_notes, files), strict=True)
    entries = _parse_notes(notes, path)
    noted = GalleryDescription.from_json(entries)
    columns = describe_columns(files)
    for name in column_names(files):
        if name in noted.columns and name not in columns:
            columns[name] = (noted.columns[name].dtype, noted.columns[name].width)
    metadata = {name: value for name, value in noted.metadata.items() if name not in OF_ITEMS}
    if 'side_info' not in columns:
        metadata['side_info_model'] = None
    metadata['changed_from'] = entries.get('fingerprint')
    return GalleryDescription(columns, sum(numbers), noted.shard_rows, metadata)


def read_notes(path: Path) -> tuple[bytes | None, int]:
    """Return what `write_parquet` noted in a file, ``None`` if it did not write it, and the number of rows."""
    with open_parquet(path) as file:
        return (file.schema_arrow.metadata or {}).get(NOTES), file.metadata.num_rows


def noted_metadata(path: Path) -> dict[str, Any]:
    """Return the metadata of the gallery that `write_parquet` wrote a file from.

    Raises:
        ValueError: If it did not write it.
    """
    metadata: dict[str, Any] = _parse_notes([read_notes(path)[0]], path)['metadata']
    return metadata


def _parse_notes(notes: Sequence[bytes | None], path: str | Path) -> dict[str, Any]:
    """Return what is noted in the files of one gallery."""
    if any(other != notes[0] for other in notes):
        raise ValueError(f'all files in {str(path)!r} must be of one gallery, got notes of several')
    if notes[0] is None:
        raise ValueError(
            f'{str(path)!r} must be Parquet that this project wrote, got other Parquet; make a gallery of it with '
            '`mmfct convert`'
        )
    entries: dict[str, Any] = json.loads(notes[0])
    version = entries.get('format_version')
    if version != FORMAT_VERSION:
        raise ValueError(f'{str(path)!r} must have `format_version` {FORMAT_VERSION}, got {version!r}')
    return entries
