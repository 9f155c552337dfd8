"""Write upgraded vectors into a new collection of Qdrant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.notes_target import TargetNotes
from mmfct.retrieval.stores.qdrant_notes import read_notes
from mmfct.retrieval.stores.qdrant_points import PointId, named_vectors
from mmfct.retrieval.stores.qdrant_target import QdrantTarget
from mmfct.retrieval.stores.qdrant_vector_target import NEEDS_METADATA

SIDE = 'side_info'
_PAGE = 8192


class QdrantPoints:
    """The collection of a source, with what a gallery does not hold.

    Args:
        client: A ``QdrantClient``.
        name: The collection.
        vector: The vector that is upgraded, as `QdrantSource` calls it.

    Attributes:
        vector: Its name in the collection, empty for the unnamed one.
    """

    def __init__(self, client: Any, name: str, vector: str) -> None:
        self.client, self.name = client, name
        self.vector = vector if vector in named_vectors(self.config.params.vectors) else ''

    @property
    def config(self) -> Any:
        """Settings of the collection."""
        return self.client.get_collection(self.name).config

    def ids(self) -> Iterator[PointId]:
        """Read the ids of all points, in the order of the source."""
        offset = None
        while True:
            points, offset = self.client.scroll(
                self.name, limit=_PAGE, offset=offset, with_payload=False, with_vectors=False
            )
            yield from (point.id for point in points)
            if offset is None:
                return

    def read(self, ids: list[PointId]) -> list[Any]:
        """Read points with payload and all vectors, in the order of ``ids``."""
        points = self.client.retrieve(self.name, ids, with_payload=True, with_vectors=True)
        by_id = {point.id: point for point in points}
        return [by_id[point] for point in ids]


class QdrantCollectionTarget(QdrantTarget):
    """A new collection with all points of the source.

    A copied collection keeps ids, payload, other vectors, settings and payload indexes. From a source of another kind,
    the columns of the gallery become the payload (labels by their names, where they have any), with the text of the id
    as ``id``, and side-information becomes a second vector ``side_info`` beside ``embedding``.

    Args:
        address: The collection; the upgraded vector is called as in the source unless it is named.
        source: The gallery that is upgraded.
        notes: Notes about this upgrade.
        client: A ``QdrantClient``, which the caller closes.
        ids: Ids of the points of all rows, see `point_ids`.
        columns: Dtype and width of the columns of the upgraded gallery.
        copied: The collection of the source; ``None`` for a source of another kind.

    Raises:
        ConnectionError: If the server does not answer, or answers with an error.
        ValueError: If the collection exists and is not that of the same upgrade, or the server is too old.
    """

    def __init__(
        self,
        address: StoreAddress,
        source: GallerySource,
        notes: TargetNotes,
        client: Any,
        ids: np.ndarray,
        columns: Mapping[str, tuple[str, int | None]],
        copied: QdrantPoints | None = None,
    ) -> None:
        self._copied, self._names = copied, label_names(source.metadata)
        self._side = None if copied else columns.get(SIDE, (None, None))[1]
        usual = copied.vector if copied else 'embedding' if self._side else ''
        self._name = usual if address.column is None else address.column
        super().__init__(address, source, notes, client, ids, columns['embedding'][1] or 0)

    @property
    def _vector(self) -> str:
        return self._name

    def _open(self, width: int) -> bool:
        if self._client.collection_exists(self.address.name):
            self.take_over(read_notes(self._client, self.address, self._notes_key), f'collection {self.address.table}')
            return False
        settings = dict(vectors_config=self._vectors_config(width)) if self._copied is None else self._settings(width)
        metadata = {self._notes_key: self.notes.encode()}
        self._client.create_collection(self.address.name, metadata=metadata, **settings)
        if read_notes(self._client, self.address, self._notes_key) is None:
            self._client.delete_collection(self.address.name)
            raise ValueError(f'{self.address} cannot be noted as unfinished: {NEEDS_METADATA}')
        self._create_indexes()
        return True

    def _vectors_config(self, width: int) -> Any:
        if not self._vector:
            return self._params(width)
        side = {} if self._side is None else {SIDE: self._params(self._side)}
        return {self._vector: self._params(width), **side}

    def _settings(self, width: int) -> dict[str, Any]:
        assert self._copied is not None
        from qdrant_client import models

        config = self._copied.config
        given = config.params
        if given.sharding_method == models.ShardingMethod.CUSTOM:
            raise ValueError(
                f'{self._copied.name} must not be sharded by keys to be copied; add a vector to it instead'
            )
        vectors = named_vectors(given.vectors)
        old = vectors.pop(self._copied.vector)
        if self._vector in vectors:
            raise ValueError(f'{self.address} must not replace the vector {self._vector!r} of its source')
        # Upgraded vectors are float32; another datatype would round them.
        vectors[self._vector] = self._params(width, hnsw_config=old.hnsw_config, on_disk=old.on_disk)
        return dict(
            vectors_config=vectors[''] if list(vectors) == [''] else vectors,
            sparse_vectors_config=given.sparse_vectors,
            shard_number=given.shard_number,
            replication_factor=given.replication_factor,
            write_consistency_factor=given.write_consistency_factor,
            on_disk_payload=given.on_disk_payload,
            hnsw_config=models.HnswConfigDiff(**_known(config.hnsw_config, models.HnswConfigDiff)),
            quantization_config=config.quantization_config,
        )

    def _create_indexes(self) -> None:
        if self._copied is None:
            return
        schema = self._copied.client.get_collection(self._copied.name).payload_schema or {}
        for name, index in schema.items():
            self._client.create_payload_index(self.address.name, name, field_schema=index.params or index.data_type)

    def _write(self, ids: list[PointId], vectors: list[list[float]], rows: Mapping[str, np.ndarray]) -> None:
        from qdrant_client import models

        points = (
            self._gallery_points(vectors, rows) if self._copied is None else self._copied_points(ids, vectors, rows)
        )
        structs = [
            models.PointStruct(id=point, vector=vector[''] if list(vector) == [''] else vector, payload=payload)
            for point, (vector, payload) in zip(ids, points, strict=True)
        ]
        self._client.upsert(self.address.name, structs)

    def _copied_points(
        self, ids: list[PointId], vectors: list[list[float]], rows: Mapping[str, np.ndarray]
    ) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        assert self._copied is not None
        points = []
        for row, (record, vector) in enumerate(zip(self._copied.read(ids), vectors, strict=True)):
            others = {
                name: value for name, value in named_vectors(record.vector).items() if name != self._copied.vector
            }
            further = {'log_variance': float(rows['log_variance'][row])} if 'log_variance' in rows else {}
            points.append(({**others, self._vector: vector}, {**(record.payload or {}), **further}))
        return points

    def _gallery_points(
        self, vectors: list[list[float]], rows: Mapping[str, np.ndarray]
    ) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        payload = {name: column.tolist() for name, column in rows.items() if name not in ('embedding', SIDE)}
        if 'label' in rows:
            payload['label'] = [self._names.get(label, label) if label >= 0 else None for label in payload['label']]
        side = rows[SIDE].tolist() if self._side else None
        points = []
        for row, vector in enumerate(vectors):
            named = {self._vector: vector} | ({SIDE: side[row]} if side else {})
            points.append((named, {name: values[row] for name, values in payload.items()}))
        return points


def _known(settings: Any, kind: Any) -> dict[str, Any]:
    entries = settings.model_dump(exclude_none=True)
    return {name: value for name, value in entries.items() if name in kind.model_fields}
