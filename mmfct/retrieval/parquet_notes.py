"""What Parquet says about the gallery that it was made of."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from .gallery_description import GalleryDescription
from .parquet_files import open_parquet
from .parquet_writer import FORMAT_VERSION, NOTES


def list_parquet(path: Path) -> list[Path]:
    """List a file, or the ``*.parquet`` of a folder in the order of their names.

    Raises:
        FileNotFoundError: If there is none.
    """
    names = sorted(path.glob('*.parquet')) if path.is_dir() else [path]
    if not names or not names[0].is_file():
        raise FileNotFoundError(f'`path` must be a Parquet file or a folder of *.parquet, got {str(path)!r}')
    return names


def describe_gallery(files: Sequence[Path], path: str | Path) -> tuple[GalleryDescription, str | None]:
    """Describe the gallery that `write_parquet` wrote, and make sure that no file is missing or of another gallery.

    Args:
        files: The Parquet files.
        path: What they are called in messages.

    Returns:
        The description, and the fingerprint of the gallery, which an earlier version did not note.

    Raises:
        ValueError: If they are not those of one gallery.
    """
    notes, numbers = zip(*map(read_notes, files), strict=True)
    if any(other != notes[0] for other in notes):
        raise ValueError(f'all files in {str(path)!r} must be of one gallery, got notes of several')
    if notes[0] is None:
        raise ValueError(
            f'{str(path)!r} must be Parquet that this project wrote, got other Parquet; make a gallery of it with '
            '`tools/convert_gallery.py`'
        )
    entries = json.loads(notes[0])
    version = entries.get('format_version')
    if version != FORMAT_VERSION:
        raise ValueError(f'{str(path)!r} must have `format_version` {FORMAT_VERSION}, got {version!r}')
    description = GalleryDescription.from_json(entries)
    if sum(numbers) != description.num_rows:
        raise ValueError(f'{str(path)!r} must hold {description.num_rows} rows, got {sum(numbers)}')
    return description, entries.get('fingerprint')


def read_notes(path: Path) -> tuple[bytes | None, int]:
    """Return the notes of `write_parquet`, or ``None``, and the number of rows of a file."""
    with open_parquet(path) as file:
        return (file.schema_arrow.metadata or {}).get(NOTES), file.metadata.num_rows
