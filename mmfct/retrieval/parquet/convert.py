"""Convert galleries to Parquet, for other programs, and Parquet to galleries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import GalleryDescription
from mmfct.retrieval.gallery.reader import Gallery
from mmfct.retrieval.gallery.writer import GalleryWriter
from mmfct.retrieval.parquet.columns import arrow_module, numpy_rows, read_batches
from mmfct.retrieval.parquet.gallery import (
    CHANGED,
    FORMAT_VERSION,
    NOTES,
    describe_changed,
    describe_gallery,
    list_parquet,
)
from mmfct.utils.files import replaced_when_done
from mmfct.utils.fingerprint import canonical_json


def write_parquet(gallery: Gallery, path: str | Path) -> Path:
    """Write a gallery as Parquet; vectors become lists of fixed size.

    Args:
        gallery: The gallery.
        path: Where to write, which must not exist: a name that ends with ``.parquet`` becomes a file with a row group
            per shard, any other a folder with a file per shard. It is complete or absent, whenever the job is killed.

    Returns:
        ``path``.

    Raises:
        FileExistsError: If it exists.
        ImportError: If pyarrow is not installed.
        ValueError: If a text is not valid Unicode, such as a file name with broken bytes.
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


def read_parquet(path: str | Path, out: str | Path, *, accept_changes: bool = False) -> Gallery:
    """Write the gallery again that `write_parquet` wrote as Parquet, byte for byte.

    Args:
        path: A file, or a folder; the Parquet files in it and its subfolders are read in the order of their paths.
        out: Folder of the gallery, which must not exist. It is complete or absent, whenever the job is killed.
        accept_changes: Whether another program may have changed the rows since `write_parquet` wrote them, see
            `describe_changed`.

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
    if accept_changes:
        description = describe_changed(files, path)
    else:
        description, fingerprint = describe_gallery(files, path)
    out.parent.mkdir(parents=True, exist_ok=True)
    with replaced_when_done(out) as temporary:
        _write(files, description, temporary)
        gallery = Gallery(temporary, verify=False)
        if accept_changes:
            _check_ids(gallery)
        elif fingerprint not in (None, gallery.fingerprint):
            raise ValueError(
                f'{str(path)!r} must hold the gallery that it was written from, got other rows: {CHANGED}'
            )
    return Gallery(out, verify=False)


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
            bad = next(text for text in rows.tolist() if text != text.encode(errors='replace').decode())
            raise ValueError(
                f'`{name}` must be valid Unicode for Parquet, got {bad!r}; leave the row out with '
                '`mmfct extend --remove`, or rename the file and make the gallery again'
            ) from error
        width = gallery.width(name)
        columns[name] = values if width is None else arrow.FixedSizeListArray.from_arrays(values, width)
    return arrow.table(columns)


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
    """Refuse ids that occur twice: galleries are mixed, evaluated and searched by id."""
    ids, counts = np.unique(np.asarray(gallery.column('id')), return_counts=True)
    if counts.max() > 1:
        raise ValueError(
            f'`id` must be another one in every row, got {str(ids[counts.argmax()])!r} {counts.max()} times'
        )
