"""Galleries from Parquet: of this project, exactly as they were, or of others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .gallery import Gallery
from .gallery_description import GalleryDescription
from .gallery_writer import GalleryWriter
from .parquet_columns import describe_columns, numpy_rows
from .parquet_files import read_batches
from .parquet_notes import describe_gallery, list_parquet, read_notes
from .parquet_writer import arrow_module
from .provenance import Provenance
from .replaced_files import replaced_when_done


def read_parquet(
    path: str | Path, out: str | Path, *, provenance: Provenance | None = None, shard_rows: int = 16384
) -> Gallery:
    """Make a gallery of Parquet.

    What `write_parquet` wrote becomes the same gallery again, byte for byte. Of other Parquet the columns
    ``embedding`` (lists of floats of one length), ``id`` (strings or integers) and, where there are any,
    ``side_info`` (lists of floats of one length) and ``label`` (integers) are taken.

    Args:
        path: A file, or a folder of ``*.parquet``, in the order of their names.
        out: Folder of the gallery, which is complete or absent. It must not exist.
        provenance: Which model made the embeddings of other Parquet.
        shard_rows: Rows per shard of a gallery from other Parquet.

    Returns:
        The gallery.

    Raises:
        FileExistsError: If ``out`` exists.
        FileNotFoundError: If there is no Parquet.
        ImportError: If pyarrow is not installed.
        ValueError: If it is damaged or not a gallery, or was changed since it was written from one.
    """
    arrow_module()
    out = Path(out)
    if out.exists():
        raise FileExistsError(f'`out` must not exist, got {str(out)!r}')
    files = list_parquet(Path(path))
    fingerprint = None
    is_ours = read_notes(files[0])[0] is not None
    if is_ours:
        description, fingerprint = describe_gallery(files, path)
    elif provenance is None:
        raise ValueError(
            f'Parquet that this project did not write needs `provenance`: say which model made {str(path)!r} with '
            '`--model` and `--fingerprint`'
        )
    else:
        columns = describe_columns(files)
        if provenance.side_info is not None and 'side_info' not in columns:
            raise ValueError(f'Parquet of a side model must have a column side_info, got none in {files[0]}')
        num_rows = sum(read_notes(file)[1] for file in files)
        description = GalleryDescription(columns, num_rows, shard_rows, provenance.to_metadata())
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced_when_done(out) as temporary:
        _write(files, description, temporary)
        gallery = Gallery(temporary, verify=False)
        if not is_ours:
            _check_ids(gallery)
        elif fingerprint not in (None, gallery.fingerprint):
            raise ValueError(
                f'{str(path)!r} must hold the gallery that it was written from, got other rows: it is damaged, or '
                'another program has changed it'
            )
    return Gallery(out, verify=False)


def _write(files: Sequence[Path], description: GalleryDescription, folder: Path) -> None:
    columns = {name: (column.dtype, column.width) for name, column in description.columns.items()}
    writer = GalleryWriter(
        folder,
        columns=columns,
        num_rows=description.num_rows,
        shard_rows=description.shard_rows,
        metadata=description.metadata,
    )
    for index, table in enumerate(_tables(files, list(columns), description.shard_rows)):
        arrays = {name: numpy_rows(table[name], column) for name, column in description.columns.items()}
        writer.write_shard(index, arrays)
    writer.finish()


def _tables(files: Sequence[Path], names: list[str], rows: int) -> Iterator[Any]:
    """Cut the rows of all files into tables of ``rows`` rows, the last one shorter."""
    arrow = arrow_module()
    rest = None
    for file in files:
        for batch in read_batches(file, names, rows):
            table = arrow.Table.from_batches([batch])
            rest = table if rest is None else arrow.concat_tables([rest, table])
            while rest.num_rows >= rows:
                yield rest.slice(0, rows)
                rest = rest.slice(rows)
    if rest is not None and rest.num_rows:
        yield rest


def _check_ids(gallery: Gallery) -> None:
    """Refuse an id that several rows have: mixing, judging and searching go by ids."""
    ids, counts = np.unique(np.asarray(gallery.column('id')), return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f'`id` must be another one in every row, got {str(ids[counts.argmax()])!r} {counts.max()} times'
        )
