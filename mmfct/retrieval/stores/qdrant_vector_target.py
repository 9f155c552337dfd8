"""Write upgraded vectors into a new named vector of the collection that is upgraded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmfct.retrieval.stores.qdrant_notes import read_notes
from mmfct.retrieval.stores.qdrant_points import PointId, named_vectors
from mmfct.retrieval.stores.qdrant_target import DISTANCES, QdrantTarget


class QdrantVectorTarget(QdrantTarget):
    """A new named vector, which points lack until they are upgraded; payload and other vectors are not touched.

    Servers can add a vector to a collection from version 1.18 on. Arguments as of `QdrantTarget`; the notes are
    metadata of the collection.

    Raises:
        ValueError: If the vector exists and is not that of the same upgrade, or the server cannot add one.
    """

    @property
    def _vector(self) -> str:
        return self.address.column or ''

    def _open(self, width: int) -> bool:
        vectors = self._client.get_collection(self.address.name).config.params.vectors
        notes = read_notes(self._client, self.address, self._notes_key)
        exists = self._vector in named_vectors(vectors)
        if exists or notes is not None:
            # Without a vector, a process was killed between the notes and the vector.
            self.take_over(notes, f'vector {self._vector!r} of {self.address.table}')
        else:
            self.note(self.notes)
            if read_notes(self._client, self.address, self._notes_key) is None:
                raise ValueError(f'{self.address} cannot be noted as unfinished: {NEEDS_METADATA}')
        if not exists:
            self._create(width)
        return not exists

    def _create(self, width: int) -> None:
        from qdrant_client import models
        from qdrant_client.http.exceptions import ApiException

        config = models.DenseVectorNameConfig(
            dense=models.DenseVectorConfig(size=width, distance=models.Distance(DISTANCES[self._distance]))
        )
        try:
            self._client.create_vector_name(self.address.name, self._vector, config)
        except (ApiException, AttributeError, NotImplementedError) as error:
            raise ValueError(
                f'{self.address} needs a server that can add a vector to a collection, version 1.18 or later; write '
                f'into a new collection instead, by another name: {" ".join(str(error).split())}'
            ) from error

    def _write(self, ids: list[PointId], vectors: list[list[float]], rows: Mapping[str, np.ndarray]) -> None:
        from qdrant_client import models

        points: list[Any] = [
            models.PointVectors(id=point, vector={self._vector: vector})
            for point, vector in zip(ids, vectors, strict=True)
        ]
        self._client.update_vectors(self.address.name, points)


# What messages say about servers without metadata of collections.
NEEDS_METADATA = 'the server must keep metadata of collections, which it does from version 1.16 on'
