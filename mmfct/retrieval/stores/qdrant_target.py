"""Write upgraded vectors into Qdrant: what a new collection and a new named vector have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.notes_target import TargetNotes, vector_notes_key
from mmfct.retrieval.stores.qdrant_notes import qdrant_errors, write_notes
from mmfct.retrieval.stores.qdrant_points import PointId, named_vectors
from mmfct.retrieval.stores.vector_target import VectorTarget

# Name of a distance of ours in Qdrant.
DISTANCES = dict(l2='Euclid', cosine='Cosine', inner='Dot')
# A server refuses requests of more than 32 MB; numbers take up to 20 bytes in them.
_REQUEST_BYTES, _NUMBER_BYTES, _MAX_POINTS = 2**23, 20, 1000
_IDS = 4096


class QdrantTarget(VectorTarget):
    """Write points by their ids, so that a batch may be repeated.

    Args:
        address: The collection, and the named vector if any.
        source: The gallery that is upgraded.
        notes: Notes about this upgrade.
        client: A ``QdrantClient``, which the caller closes.
        ids: Ids of the points of all rows, see `point_ids`.
        width: Length of the upgraded vectors.
    """

    def __init__(
        self,
        address: StoreAddress,
        source: GallerySource,
        notes: TargetNotes,
        client: Any,
        ids: np.ndarray,
        width: int,
    ) -> None:
        super().__init__(address, source, notes)
        self._client, self._ids = client, ids
        self._distance = Provenance.from_metadata(notes.metadata).distance
        self._chunk = max(1, min(_MAX_POINTS, _REQUEST_BYTES // (_NUMBER_BYTES * width)))
        with qdrant_errors(address):
            self._fresh = self._open(width)

    @property
    @abstractmethod
    def _vector(self) -> str:
        """Name of the upgraded vector, empty for the unnamed one."""

    @property
    def _notes_key(self) -> str:
        return vector_notes_key(self._vector)

    @abstractmethod
    def _open(self, width: int) -> bool:
        """Create the collection or vector, or go on with it; return whether it is new."""

    @abstractmethod
    def _write(self, ids: list[PointId], vectors: list[list[float]], rows: Mapping[str, np.ndarray]) -> None:
        """Write some points."""

    def pending(self, start: int, stop: int) -> np.ndarray:
        """Say which rows are not written yet, see `VectorTarget.pending`."""
        if self._fresh:
            return np.ones(stop - start, bool)
        ids = self._point_ids(np.arange(start, stop))
        found = self._upgraded(ids)
        return np.array([point not in found for point in ids])

    def write(self, start: int, rows: Mapping[str, np.ndarray], pending: np.ndarray) -> None:
        """Write upgraded rows, see `VectorTarget.write`."""
        chosen = np.flatnonzero(pending)
        for first in range(0, len(chosen), self._chunk):
            part = chosen[first : first + self._chunk]
            with qdrant_errors(self.address):
                vectors = rows['embedding'][part].tolist()
                self._write(self._point_ids(start + part), vectors, {name: rows[name][part] for name in rows})

    def count(self) -> tuple[int, int]:
        """Count rows and upgraded vectors, see `VectorTarget.count`."""
        models = _models()
        with qdrant_errors(self.address):
            total = self._client.count(self.address.name, exact=True).count
            if not self._vector:
                return total, total
            having = models.Filter(must=[models.HasVectorCondition(has_vector=self._vector)])
            return total, self._client.count(self.address.name, count_filter=having, exact=True).count

    def holds(self, start: int, stop: int) -> bool:
        """Whether the rows are there, see `VectorTarget.holds`."""
        ids = self._point_ids(np.arange(start, stop))
        return len(self._upgraded(ids)) == len(ids)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Read upgraded vectors, see `VectorTarget.vectors`."""
        ids = self._point_ids(rows)
        wanted = [self._vector] if self._vector else True
        with qdrant_errors(self.address):
            points = self._client.retrieve(self.address.name, ids, with_payload=False, with_vectors=wanted)
        by_id = {point.id: named_vectors(point.vector).get(self._vector) for point in points}
        return np.array([by_id[point] for point in ids], np.float32)

    def stored_form(self, vectors: np.ndarray) -> np.ndarray:
        """Return vectors as Qdrant keeps them: of length 1 if they are compared by cosine."""
        if self._distance != 'cosine':
            return vectors
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)

    def note(self, notes: TargetNotes) -> None:
        """Replace the notes, see `VectorTarget.note`."""
        with qdrant_errors(self.address):
            write_notes(self._client, self.address, notes, self._notes_key)
        self.notes = notes

    def _params(self, width: int, **others: Any) -> Any:
        return _models().VectorParams(size=width, distance=DISTANCES[self._distance], **others)

    def _point_ids(self, rows: np.ndarray) -> list[PointId]:
        return [_decoded(text) for text in self._ids[rows].tolist()]

    def _upgraded(self, ids: list[PointId]) -> set[PointId]:
        """Return those of some points that are there, with an upgraded vector."""
        models = _models()
        found: set[PointId] = set()
        for first in range(0, len(ids), _IDS):
            part = ids[first : first + _IDS]
            conditions = [models.HasIdCondition(has_id=part)]
            if self._vector:
                conditions.append(models.HasVectorCondition(has_vector=self._vector))
            with qdrant_errors(self.address):
                points, _ = self._client.scroll(
                    self.address.name,
                    scroll_filter=models.Filter(must=conditions),
                    limit=len(part),
                    with_payload=False,
                    with_vectors=False,
                )
            found |= {point.id for point in points}
        return found


def point_ids(points: Iterable[PointId], rows: int) -> np.ndarray:
    """Keep the ids of many points in little memory.

    Args:
        points: The ids.
        rows: How many there are.

    Returns:
        Bytes of shape (rows,).

    Raises:
        ValueError: If there are more or fewer, or two are equal.
    """
    ids = np.fromiter((str(point).encode() for point in points), 'S36')
    if len(ids) != rows:
        raise ValueError(f'a collection must not change while it is upgraded, got {len(ids)} points instead of {rows}')
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < rows:
        twice = values[counts > 1][0].decode()
        raise ValueError(f'ids must be unique to become points of Qdrant, got {rows - len(values)} again, as {twice}')
    return ids


def _decoded(text: bytes) -> PointId:
    return int(text) if text.isdigit() else text.decode()


def _models() -> Any:
    from qdrant_client import models

    return models
