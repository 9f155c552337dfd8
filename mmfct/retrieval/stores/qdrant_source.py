"""A collection of Qdrant as a gallery."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.columns import VECTOR, VectorColumns, choose_columns
from mmfct.retrieval.stores.foreign import NORMALISED_BY_STORE, ForeignSource
from mmfct.retrieval.stores.keys import Keys
from mmfct.retrieval.stores.notes_target import TargetNotes, vector_notes_key
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.present import NO_SIDE, SKIP
from mmfct.retrieval.stores.qdrant import open_collection
from mmfct.retrieval.stores.qdrant_points import (
    field_of,
    having_vector,
    item_id,
    named_vectors,
    payload_kinds,
)
from mmfct.retrieval.stores.reading import store_errors
from mmfct.retrieval.stores.rows import ForeignRows, VectorKind, rows_per_shard

_DISTANCES = dict(Cosine='cosine', Euclid='l2', Dot='inner')
_PAGE, _SAMPLE = 8192, 256
_UNIT = 1e-3
_REQUEST_BYTES, _NUMBER_BYTES, _MAX_POINTS = 2**23, 20, 1000


class QdrantSource(ForeignSource):
    """Points of a collection in the order of their ids, on a server or in a folder.

    Ids are those of the points unless a field of the payload is named; a point whose id was made of a text by
    `mmfct.retrieval.stores.qdrant_points.point_id` has that text as its id again. The distance of the gallery is that
    of the collection. A server stores unit vectors where the distance is Cosine: the lengths that the model gave are
    gone, which the metadata says (``normalised_by_store``).

    The embedded form is copied to a temporary folder, so it can be open elsewhere and read-only; it keeps points as
    pickles, which run code when they are loaded, so open only folders that you trust. The fingerprint notices points
    that are new, removed or have another id, and other vectors of the first point of each shard; vectors that are
    changed in place elsewhere it does not notice.

    Args:
        address: Its address.
        options: Which model made the vectors, and which vector and fields of the payload to read (``a.b`` for a field
            inside another).

    Raises:
        ConnectionError: If the server does not answer.
        FileNotFoundError: If there is no such collection.
        ImportError: If qdrant-client is not installed.
        ValueError: If it does not hold what a gallery needs.
    """

    def __init__(self, address: StoreAddress, options: SourceOptions) -> None:
        from qdrant_client.http.exceptions import ApiException

        self._errors = (OSError, ApiException)
        self.address, self.where = address, str(address.table)
        self.path = Path(address.root) / address.name if address.is_local else Path(str(address))
        self._client, self._info, close = open_collection(address)
        weakref.finalize(self, close)
        self._params = named_vectors(self._info.config.params.vectors)
        with store_errors(self.where, self._errors):
            self.chosen, self._id = self._choose(options.columns)
            vectors, side = (None if name is None else self._kind(name) for name in (self._vector, self.chosen.side))
            self._filter = having_vector(self._client, address, self._vector) if options.skip_missing else None
            provenance, notes = self._known_distance(options)
        assert vectors is not None
        self._shard_rows = options.shard_rows or rows_per_shard(vectors, side)
        # Ids of the first points of all shards, and a hash of the ids of all.
        self._marks: list[int | str] = []
        self._ids_hash = ''
        self._open(vectors, side, provenance, kind='qdrant', notes=notes, shard_rows=self._shard_rows)

    @property
    def _vector(self) -> str:
        return self.chosen.vector if self.chosen.vector in self._params else ''

    def _choose(self, columns: VectorColumns) -> tuple[Any, str | None]:
        """Choose vectors, and fields of the payload by those of the first points; return the field with ids, too."""
        points, _ = self._client.scroll(self.address.name, limit=_SAMPLE, with_payload=True, with_vectors=False)
        fields = payload_kinds(points, (columns.id, columns.label))
        available = {name or 'vector': VECTOR for name in self._params} | {
            name: kind for name, kind in fields.items() if name not in self._params
        }
        chosen = choose_columns(available, columns, self.where, own_ids=True)
        return chosen, chosen.id or ('id' if any(item_id(point, 'id') != str(point.id) for point in points) else None)

    def _kind(self, name: str) -> VectorKind:
        params = self._params[name]
        if params.multivector_config is not None:
            raise ValueError(f'vector {name!r} of {self.where} must be one vector a point, got several (multivector)')
        return VectorKind('float16' if str(params.datatype or '').endswith('16') else 'float32', params.size)

    def _known_distance(self, options: SourceOptions) -> tuple[Provenance, dict[str, Any]]:
        name = self._params[self._vector].distance.value
        known = _DISTANCES.get(name)
        if known is None and options.distance is None:
            raise ValueError(
                f'{self.where} must compare vectors by {", ".join(_DISTANCES)}, got {name}; say by which distance to '
                'compare them with `--distance`'
            )
        notes = {NORMALISED_BY_STORE: True} if name == 'Cosine' and self._are_unit() else {}
        key = vector_notes_key(self._vector)
        text = (self._info.config.metadata or {}).get(key)
        stored = None if text is None else TargetNotes.decode(text, self.where)
        return options.provenance_of(self.where, known_distance=known, stored=stored), notes

    def _are_unit(self) -> bool:
        """Whether the first vectors have length 1: a server normalises them, the embedded form keeps them as given."""
        given = dict(scroll_filter=self._filter, with_payload=False, with_vectors=True)
        points, _ = self._client.scroll(self.address.name, limit=_SAMPLE, **given)
        vectors = [named_vectors(point.vector).get(self._vector) for point in points]
        lengths = [float(np.linalg.norm(vector)) for vector in vectors if vector is not None and any(vector)]
        return bool(lengths) and max(abs(length - 1) for length in lengths) < _UNIT

    @property
    def argument(self) -> str:
        """Address of the collection, with the vector if one was named."""
        return str(self.address)

    def _identity(self) -> Any:
        points = self._client.retrieve(self.address.name, self._marks, with_payload=False, with_vectors=True)
        first = {str(point.id): named_vectors(point.vector).get(self._vector) for point in points}
        vectors = [np.array(first.get(str(mark)) or (), '<f4').tobytes().hex() for mark in self._marks]
        digest = hashlib.sha256(''.join(vectors).encode()).hexdigest()
        return [self._ids_hash, len(self), str(self._params[self._vector].distance), self.width('embedding'), digest]

    def _fields(self) -> Any:
        return [name for name in (self._id, self.chosen.label) if name] or False

    def _keys(self) -> Iterator[Keys]:
        digest, marks, rows, offset = hashlib.sha256(), [], 0, None
        while True:
            points, offset = self._client.scroll(
                self.address.name,
                scroll_filter=self._filter,
                limit=_PAGE,
                offset=offset,
                with_payload=self._fields(),
                with_vectors=False,
            )
            for point in points:
                if rows % self._shard_rows == 0:
                    marks.append(point.id)
                rows += 1
                digest.update(f'{point.id}\n'.encode())
            yield self._keys_of(points)
            if offset is None:
                break
        if not self._marks:
            self._marks, self._ids_hash = marks, digest.hexdigest()

    def _keys_of(self, points: list[Any]) -> Keys:
        label = self.chosen.label
        labels = None if label is None else [field_of(point.payload, label) for point in points]
        named = bool(self.chosen.id)
        ids = [field_of(point.payload, self._id) if named else item_id(point, self._id) for point in points]
        return Keys(ids, labels)

    def _read(self, start: int, stop: int, keep: np.ndarray | None = None) -> ForeignRows:
        index = start // self._shard_rows
        width = (self.width('embedding') or 0) + ((self.width('side_info') or 0) if self.chosen.side else 0)
        page = max(1, min(_MAX_POINTS, _REQUEST_BYTES // (_NUMBER_BYTES * width)))
        # The embedded form sorts all points for each page.
        page = stop - start if self.address.is_local else page
        wanted = [name for name in (self._vector, self.chosen.side) if name] or True
        points: list[Any] = []
        offset: Any = self._marks[index]
        while len(points) < stop - start and offset is not None:
            found, offset = self._client.scroll(
                self.address.name,
                scroll_filter=self._filter,
                limit=min(page, stop - start - len(points)),
                offset=offset,
                with_payload=self._fields(),
                with_vectors=wanted,
            )
            points += found
        ends = [points[0].id if points else None, offset]
        if ends != [self._marks[index], self._marks[index + 1] if stop < len(self) else None]:
            raise ValueError(f'{self.where} must not change while it is read, got other points; start again')
        keys = self._keys_of(points)
        side = None if self.chosen.side is None else self._rows(points, self.chosen.side, self.width('side_info'))
        return ForeignRows(*keys, self._rows(points, self._vector, self.width('embedding')), side)

    def _rows(self, points: list[Any], name: str, width: int | None) -> np.ndarray:
        vectors = [named_vectors(point.vector).get(name) for point in points]
        missing = [point.id for point, vector in zip(points, vectors, strict=True) if vector is None]
        if missing:
            raise ValueError(
                f'every point of {self.where} must have the vector {name!r}, got {len(missing)} of {len(points)} '
                f'without it, such as {missing[0]!r}; add it, or {NO_SIDE if name == self.chosen.side else SKIP}'
            )
        return np.array(vectors, np.float32).reshape(len(points), width or 0)
