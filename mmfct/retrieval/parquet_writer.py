"""Galleries as Parquet, for other programs."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from .fingerprint import canonical_json
from .gallery import Gallery
from .gallery_description import GalleryDescription
from .replaced_files import replaced_when_done

# Key of the notes in the metadata of the schema, from which the same gallery can be made again.
NOTES = b'mmfct'
FORMAT_VERSION = 1


def write_parquet(gallery: Gallery, path: str | Path) -> Path:
    """Write a gallery as Parquet; vectors become lists of fixed size.

    Args:
        gallery: The gallery.
        path: A file that ends with ``.parquet``, with a row group for each shard; or else a folder, with a file for
            each shard. Neither may exist.

    Returns:
        The file or folder, which is complete or absent.

    Raises:
        FileExistsError: If it exists.
        ImportError: If pyarrow is not installed.
        ValueError: If a text is not valid Unicode, such as the name of a file with broken bytes.
    """
    arrow_module()
    from pyarrow import parquet

    path = Path(path)
    if path.exists():
        raise FileExistsError(f'`path` must not exist, got {str(path)!r}')
    path.parent.mkdir(parents=True, exist_ok=True)
    notes = {NOTES: canonical_json(_notes(gallery)).encode()}
    tables = (_shard_table(gallery, index).replace_schema_metadata(notes) for index, _, _ in gallery.shards)
    with replaced_when_done(path) as temporary:
        if path.suffix == '.parquet':
            first = next(tables)
            with parquet.ParquetWriter(temporary, first.schema, write_page_checksum=True) as writer:
                for table in (first, *tables):
                    writer.write_table(table, row_group_size=table.num_rows)
        else:
            temporary.mkdir()
            for index, table in enumerate(tables):
                file = temporary / f'part-{index:05d}.parquet'
                parquet.write_table(table, file, row_group_size=table.num_rows, write_page_checksum=True)
    return path


def arrow_module() -> ModuleType:
    """Import pyarrow.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow; install it with `pip install 'mmfct[parquet]'`") from error
    return pyarrow


def _notes(gallery: Gallery) -> dict[str, Any]:
    description = GalleryDescription(gallery.columns, len(gallery), gallery.shard_rows, gallery.metadata)
    return dict(format_version=FORMAT_VERSION, fingerprint=gallery.fingerprint, **description.to_json())


def _shard_table(gallery: Gallery, index: int) -> Any:
    arrow = arrow_module()
    columns = {}
    for name in gallery.columns:
        rows = np.asarray(gallery.shard(name, index))
        try:
            values = arrow.array(rows.reshape(-1))
        except UnicodeError as error:
            raise ValueError(f'`{name}` must be valid Unicode for Parquet, got {error}') from error
        width = gallery.width(name)
        columns[name] = values if width is None else arrow.FixedSizeListArray.from_arrays(values, width)
    return arrow.table(columns)
