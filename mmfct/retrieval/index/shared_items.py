"""Items that an old gallery and its upgraded part share: which rows they hide, and a sample of them in both spaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.gallery.selection import find_ids, repeated_id


@dataclass(frozen=True)
class SharedItems:
    """What is known of items that are in an old gallery and in its upgraded part.

    Args:
        hidden: Which rows of the old gallery are upgraded, bool of shape (N,).
        old_rows: Row of each upgraded item in the old gallery, int64 of shape (U,), -1 for items that are not there.
    """

    hidden: np.ndarray
    old_rows: np.ndarray

    @classmethod
    def find(cls, old: GallerySource, upgraded: GallerySource) -> SharedItems:
        """Find them by id, shard by shard; memory holds the ids of the upgraded items.

        Raises:
            ValueError: If an upgraded item occurs twice, or none is in the old gallery.
        """
        ids = np.asarray(upgraded.column('id')).astype(str)
        by_id = np.argsort(ids, kind='stable')
        ids = ids[by_id]
        if (repeated := repeated_id(ids)) is not None:
            raise ValueError(f'{upgraded.path} must have every id once, got {repeated!r} several times')
        hidden = np.zeros(len(old), bool)
        old_rows = np.full(len(ids), -1, np.int64)
        for index, start, stop in old.shards:
            place, found = find_ids(ids, np.asarray(old.shard('id', index)).astype(str))
            hidden[start:stop] = found
            old_rows[by_id[place[found]]] = start + np.flatnonzero(found)
        if not hidden.any():
            example = str(old.rows('id', np.zeros(1, np.int64))[0])
            raise ValueError(
                f'{upgraded.path} must hold upgraded items of {old.path}, got none of its ids: they are such as '
                f'{str(ids[0])!r}, those of the gallery such as {example!r}'
            )
        return cls(hidden, old_rows)

    def sample(
        self, old: GallerySource, upgraded: GallerySource, rows: int, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw shared items; return their embeddings in both galleries, without all-zero ones.

        Args:
            old: The old gallery.
            upgraded: Its upgraded part.
            rows: Number of items, at most.
            seed: Seed of the draw.

        Returns:
            float32 of shapes (S, D) and (S, D').
        """
        shared = np.flatnonzero(self.old_rows >= 0)
        chosen = np.sort(np.random.default_rng(seed).choice(shared, min(rows, len(shared)), replace=False))
        pair = (
            old.rows('embedding', self.old_rows[chosen]).astype(np.float32),
            upgraded.rows('embedding', chosen).astype(np.float32),
        )
        kept = pair[0].any(axis=1) & pair[1].any(axis=1)
        return pair[0][kept], pair[1][kept]
