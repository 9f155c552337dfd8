"""The rows that a sample is chosen from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.gallery.selection import find_ids
from mmfct.retrieval.index.exact import unit_rows
from mmfct.retrieval.stores.inspect import check_unique_ids
from mmfct.utils.progress import Progress

_VALUES_PER_BLOCK = 2**22
_NEEDED = ('embedding', 'id')


@dataclass(frozen=True)
class Pool:
    """A gallery of G rows of width D, of which some are not to be chosen.

    Args:
        source: The gallery; its rows are read block by block.
        embedded: Whether the new model has embedded the item already, boolean of shape (G,).
        empty: Whether the embedding is all zeros, boolean of shape (G,): it says nothing about its item.
    """

    source: GallerySource
    embedded: np.ndarray
    empty: np.ndarray

    @classmethod
    def read(cls, source: GallerySource, have: np.ndarray) -> Pool:
        """Read and check all rows once.

        Args:
            source: The gallery.
            have: Ids of the items that the new model has embedded already, sorted, of shape (H,).

        Raises:
            FileNotFoundError: If a file of the gallery is missing.
            ValueError: If it is damaged, lacks a column, repeats an id, or has none of the ids in ``have``.
        """
        missing = [name for name in _NEEDED if name not in source.columns]
        if missing:
            raise ValueError(f'the gallery must have the columns {", ".join(_NEEDED)}, got none called {missing[0]!r}')
        check_unique_ids(source)  # otherwise the embeddings of the new model could not be joined to its rows
        embedded, empty = np.zeros(len(source), bool), np.zeros(len(source), bool)
        progress = Progress(len(source))
        for index, start, stop in source.shards:
            source.verify_shard(index)
            if len(have):
                embedded[start:stop] = find_ids(have, np.asarray(source.shard('id', index)))[1]
            empty[start:stop] = ~np.asarray(source.shard('embedding', index)).any(axis=1)
            progress.advance(stop - start)
        if len(have) and not embedded.any():
            raise ValueError(f'`have` must hold ids of the gallery, got none of them, but {str(have[0])!r} and others')
        return cls(source, embedded, empty)

    @property
    def distance(self) -> str:
        """How embeddings are compared, one of `mmfct.utils.distances.DISTANCES`."""
        return Provenance.from_metadata(self.source.metadata).distance

    @property
    def free(self) -> np.ndarray:
        """Rows that can be chosen, int64 of shape (N,), ascending."""
        return np.flatnonzero(~self.embedded & ~self.empty)

    def with_embedded(self, rows: np.ndarray) -> Pool:
        """Return the pool after these rows, int64 of shape (N,), are embedded too."""
        embedded = self.embedded.copy()
        embedded[rows] = True
        return Pool(self.source, embedded, self.empty)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Return the embeddings of rows (N,) as they are compared: float32 of shape (N, D), unit ones for cosine."""
        stored = self.source.rows('embedding', rows)
        vectors = np.empty(stored.shape, np.float32)
        step = max(1, _VALUES_PER_BLOCK // stored.shape[1])
        for start in range(0, len(rows), step):
            vectors[start : start + step] = self._as_compared(stored[start : start + step])
        return vectors

    def blocks(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yield all embeddings as :meth:`vectors` does, in blocks, each with its first row."""
        for index, start, _ in self.source.shards:
            shard = self.source.shard('embedding', index)
            step = max(1, _VALUES_PER_BLOCK // shard.shape[1])
            for offset in range(0, len(shard), step):
                yield start + offset, self._as_compared(shard[offset : offset + step])

    def _as_compared(self, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(unit_rows(rows) if self.distance == 'cosine' else rows, np.float32)
