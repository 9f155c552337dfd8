"""Open what an upgrade writes into a vector database."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from types import SimpleNamespace
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.foreign import ForeignSource
from mmfct.retrieval.stores.keys import Keys, survey_keys
from mmfct.retrieval.stores.lance import open_lance_table
from mmfct.retrieval.stores.lance_column_target import LanceColumnTarget
from mmfct.retrieval.stores.lance_source import LanceSource
from mmfct.retrieval.stores.lance_table_target import LanceTableTarget
from mmfct.retrieval.stores.lance_target import LanceRows, stored_lance_notes
from mmfct.retrieval.stores.notes_target import TargetNotes, vector_notes_key
from mmfct.retrieval.stores.qdrant import open_collection, qdrant_client
from mmfct.retrieval.stores.qdrant_collection_target import QdrantCollectionTarget, QdrantPoints
from mmfct.retrieval.stores.qdrant_notes import qdrant_errors, read_notes
from mmfct.retrieval.stores.qdrant_points import point_id
from mmfct.retrieval.stores.qdrant_source import QdrantSource
from mmfct.retrieval.stores.qdrant_target import point_ids
from mmfct.retrieval.stores.qdrant_vector_target import QdrantVectorTarget
from mmfct.retrieval.stores.vector_target import VectorTarget

_ROWS = 16384


def same_table(one: StoreAddress, other: StoreAddress) -> bool:
    """Whether two addresses name the same table or collection."""
    return _canonical(one) == _canonical(other)


@contextlib.contextmanager
def opened_target(
    address: StoreAddress,
    source: GallerySource,
    notes: TargetNotes,
    columns: Mapping[str, tuple[str, int | None]],
    *,
    in_place: bool,
) -> Iterator[VectorTarget]:
    """Create what an upgrade writes, or go on with it; it is closed at the end of the block.

    Args:
        address: A table or collection, and maybe the column or named vector.
        source: The gallery that is upgraded.
        notes: Notes about this upgrade.
        columns: Dtype and width of the columns of the upgraded gallery.
        in_place: Whether ``address`` is that of the source: then it gets a new column or named vector.

    Raises:
        ConnectionError: If a server does not answer, or answers with an error.
        FileNotFoundError: If the table or collection is gone.
        ImportError: If the package of the database is not installed.
        ValueError: If ids are not unique, or see the classes of targets.
    """
    if not isinstance(source, ForeignSource):
        _check_ids(source)
    width = columns['embedding'][1] or 0
    target: VectorTarget
    if address.kind == 'lancedb':
        rows = _lance_rows(source)
        if in_place and rows is not None:
            target = LanceColumnTarget(address, source, notes, width, rows)
        else:
            target = LanceTableTarget(address, source, notes, columns, rows)
        with contextlib.closing(target):
            yield target
        return
    with opened_qdrant(address, create=True) as client, _points(source, address, client) as points:
        made = map(point_id, chain.from_iterable(_row_ids(source)))
        with qdrant_errors(address):
            ids = point_ids(made if points is None else points.ids(), len(source))
        if in_place:
            target = QdrantVectorTarget(address, source, notes, client, ids, width)
        else:
            target = QdrantCollectionTarget(address, source, notes, client, ids, columns, points)
        yield target


@contextlib.contextmanager
def opened_qdrant(address: StoreAddress, *, create: bool = False) -> Iterator[Any]:
    """Connect to the database of a collection, see `qdrant_client`, until the end of the block."""
    client = qdrant_client(address, create=create)
    try:
        yield client
    finally:
        client.close()


def noted_vector(address: StoreAddress) -> str | None:
    """Return the vector that a new column or named vector is made from, if an upgrade has noted it.

    Args:
        address: A table or collection with a column.
    """
    if address.kind == 'lancedb':
        table = open_lance_table(address.table)
        notes = stored_lance_notes(table, address.column or '', address)
    else:
        with opened_qdrant(address) as client, qdrant_errors(address):
            exists = client.collection_exists(address.name)
            notes = read_notes(client, address, vector_notes_key(address.column)) if exists else None
    return None if notes is None else notes.vector


def _canonical(address: StoreAddress) -> StoreAddress:
    return replace(address.table, root=os.path.realpath(address.root)) if address.is_local else address.table


def _lance_rows(source: GallerySource) -> LanceRows | None:
    if not isinstance(source, LanceSource):
        return None
    table = open_lance_table(source.address.table, version=source.version)
    return LanceRows(table, source.chosen.vector, source.chosen.id)


def _row_ids(source: GallerySource) -> Iterator[list[str]]:
    if isinstance(source, ForeignSource):
        yield from source.ids()
    else:
        for start in range(0, len(source), _ROWS):
            yield source.rows('id', np.arange(start, min(start + _ROWS, len(source)))).tolist()


@contextlib.contextmanager
def _points(source: GallerySource, address: StoreAddress, client: Any) -> Iterator[QdrantPoints | None]:
    """Open the points of a source again, to copy what a gallery does not hold; those of the same database once."""
    if not isinstance(source, QdrantSource):
        yield None
    elif _canonical(replace(source.address, name='')) == _canonical(replace(address, name='')):
        yield QdrantPoints(client, source.address.name, source.chosen.vector)
    else:
        other, _, close = open_collection(source.address)
        with contextlib.closing(SimpleNamespace(close=close)):
            yield QdrantPoints(other, source.address.name, source.chosen.vector)


def _check_ids(source: GallerySource) -> None:
    if 'id' not in source.columns:
        raise ValueError(f'{source.path} must have ids to be written into a database, got {", ".join(source.columns)}')
    survey_keys(lambda: (Keys(ids, None) for ids in _row_ids(source)), str(source.path))
