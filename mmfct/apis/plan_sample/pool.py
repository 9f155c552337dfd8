"""The rows that a sample is chosen from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

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
        repeated: Whether another item that is embedded already, or that comes earlier, has the same embedding, boolean
            of shape (G,): `mmfct learn` would leave out the pair.
    """

    source: GallerySource
    embedded: np.ndarray
    empty: np.ndarray
    repeated: np.ndarray

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
        hashes = np.empty(len(source), np.int64)
        progress = Progress(len(source))
        for index, start, stop in source.shards:
            source.verify_shard(index)
            if len(have):
                embedded[start:stop] = find_ids(have, np.asarray(source.shard('id', index)))[1]
            rows = np.asarray(source.shard('embedding', index))
            empty[start:stop] = ~rows.any(axis=1)
            hashes[start:stop] = [hash(row.tobytes()) for row in rows]
            progress.advance(stop - start)
        if len(have) and not embedded.any():
            raise ValueError(f'`have` must hold ids of the gallery, got none of them, but {str(have[0])!r} and others')
        return cls(source, embedded, empty, _repeated(hashes, embedded))

    @property
    def distance(self) -> str:
        """How embeddings are compared, one of `mmfct.utils.distances.DISTANCES`."""
        return Provenance.from_metadata(self.source.metadata).distance

    @property
    def free(self) -> np.ndarray:
        """Rows that can be chosen, int64 of shape (N,), ascending."""
        return np.flatnonzero(~self.embedded & ~self.empty & ~self.repeated)

    @property
    def num_repeated(self) -> int:
        """Number of rows that are not chosen for that reason alone."""
        return int(np.count_nonzero(self.repeated & ~self.embedded & ~self.empty))

    def with_embedded(self, rows: np.ndarray) -> Pool:
        """Return the pool after these rows, int64 of shape (N,), are embedded too."""
        embedded = self.embedded.copy()
        embedded[rows] = True
        return replace(self, embedded=embedded)

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


def _repeated(hashes: np.ndarray, embedded: np.ndarray) -> np.ndarray:
    """Return which rows have the hash (G,) of an embedded or earlier one, boolean of shape (G,)."""
    order = np.lexsort((~embedded, hashes))
    repeated = np.zeros(len(hashes), bool)
    repeated[order[1:]] = hashes[order[1:]] == hashes[order[:-1]]
    return repeated
