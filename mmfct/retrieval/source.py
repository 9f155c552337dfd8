"""Open a gallery for reading: a folder of shards, Parquet, ``.npy``, or in a vector database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mmfct.retrieval.gallery.manifest import MANIFEST
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import Gallery, GallerySource
from mmfct.retrieval.parquet.columns import arrow_module
from mmfct.retrieval.parquet.gallery import ParquetGallery, find_parquet, list_parquet, read_notes
from mmfct.retrieval.stores.address import is_store, parse_store
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.lance_source import LanceSource
from mmfct.retrieval.stores.npy_source import NpySource
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.parquet_source import ParquetSource
from mmfct.retrieval.stores.qdrant_source import QdrantSource
from mmfct.retrieval.stores.say import say_once


def open_source(
    path: str | Path,
    *,
    columns: VectorColumns | None = None,
    provenance: Provenance | None = None,
    named_after_file: bool = False,
    options: SourceOptions | None = None,
) -> GallerySource:
    """Open a gallery, or vectors of another program as one, without reading its vectors.

    Args:
        path: Folder of a gallery; file or folder of Parquet; ``X.npy`` with ids beside it (see `NpySource`);
            ``lancedb:FOLDER/TABLE``; ``qdrant:http://HOST:PORT/COLLECTION`` or ``qdrant:FOLDER/COLLECTION``, both
            perhaps with ``#VECTOR``, the column or named vector.
        columns: Of vectors of another program: names of the columns; ``None`` finds them by their usual names.
        provenance: Of vectors of another program: which model made them. A distance that the store knows replaces
            that of the provenance, which is said.
        named_after_file: Whether the name of the file, table or collection names the model where nothing else does;
            with that of the vectors if they are named, ``items#clip``.
        options: All of this and more, instead of ``columns`` and ``provenance``.

    Raises:
        ConnectionError: If a server does not answer.
        FileNotFoundError: If there is nothing of the kind.
        ImportError: If a package that reads it is not installed.
        ValueError: If it is damaged, does not hold what a gallery needs, does not say which model made it or how its
            vectors are compared, or is a gallery that says another model.
    """
    if options is None:
        options = SourceOptions(columns or VectorColumns(), provenance)
    if named_after_file:
        options = replace(options, fallback_model=_name_of(path, options.columns.vector))
    if isinstance(path, str) and is_store(path):
        address = parse_store(path)
        if address.column is not None:
            if options.columns.vector not in (None, address.column):
                raise ValueError(
                    f'which vector of {address.table}? Got {address.column!r} in the address and '
                    f'{options.columns.vector!r} for `--vector-column`; give one of them'
                )
            options = replace(options, columns=replace(options.columns, vector=address.column))
        return LanceSource(address, options) if address.kind == 'lancedb' else QdrantSource(address, options)
    path = Path(path)
    if path.suffix == '.npy':
        return NpySource(path, options)
    if not path.exists():
        raise FileNotFoundError(
            f'`path` must be a folder with a {MANIFEST}, Parquet, X.npy with ids beside it, lancedb:FOLDER/TABLE or '
            f'qdrant:..., got {str(path)!r}, which does not exist'
        )
    if (path / MANIFEST).is_file() or not (path.is_file() or find_parquet(path)[0]):
        return _checked(Gallery(path, verify=False), options)
    arrow_module()
    if read_notes(list_parquet(path)[0])[0] is None:
        return ParquetSource(path, options)
    return _checked(ParquetGallery(path), options)


def _checked(source: GallerySource, options: SourceOptions) -> GallerySource:
    """Return a gallery, which says which model made it, unless the user says something else."""
    names = (options.provenance and options.provenance.embedding.name) or options.model
    if names is not None:
        noted = Provenance.from_metadata(source.metadata).embedding
        fingerprint = options.provenance.embedding.fingerprint if options.provenance else options.fingerprint
        if names != noted.name or fingerprint not in (None, noted.fingerprint):
            raise ValueError(
                f'gallery {str(source.path)!r} notes that {noted} made its vectors, got {names!r}; leave `--model` out'
            )
    columns = options.columns
    if columns.vector or columns.id or columns.label or columns.side:
        say_once(f'{source.path} is a gallery, whose columns have fixed names: those that are given are not used')
    return source


def _name_of(path: str | Path, vector: str | None) -> str:
    if isinstance(path, str) and is_store(path):
        address = parse_store(path)
        name, vector = address.name, address.column or vector
    else:
        name = Path(path).stem
    return f'{name}#{vector}' if vector else name
