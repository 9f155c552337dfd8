"""A gallery, or an embedding set of queries, in memory, together with the model that made it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mmfct.evaluation.embedding_set import EmbeddingSet
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import Provenance


@dataclass(frozen=True)
class StoredSet:
    """Embeddings that were read from disk.

    Args:
        name: What the user calls the set.
        provenance: The model of the embeddings, and the distance that compares them.
        items: The embeddings.
    """

    name: str
    provenance: Provenance
    items: EmbeddingSet

    @classmethod
    def read(cls, name: str, path: str | Path) -> StoredSet:
        """Read a gallery; embedding sets are stored as galleries.

        Raises:
            FileNotFoundError: If the folder is no gallery.
            ValueError: If the gallery is damaged, does not say which model made it, or lacks a column.
        """
        gallery = Gallery(path)
        return cls(name, Provenance.from_metadata(gallery.metadata), EmbeddingSet.read(gallery))

    def order_of(self, other: StoredSet) -> np.ndarray:
        """Find the rows of another set with the same items in this one.

        Returns:
            int64 of shape (N,): row ``order[i]`` here has the id of row ``i`` there.

        Raises:
            ValueError: If an id occurs twice, or the sets differ in items or labels.
        """
        here, there = np.asarray(self.items.ids), np.asarray(other.items.ids)
        for name, ids in ((self.name, here), (other.name, there)):
            if len(np.unique(ids)) < len(ids):
                raise ValueError(f'ids must be unique to tell items of two sets apart, got repeated ones in {name!r}')
        if not np.array_equal(np.sort(here), np.sort(there)):
            shared = len(np.intersect1d(here, there))
            raise ValueError(
                f'{self.name!r} and {other.name!r} must hold the same items, got {len(here)} and {len(there)} with '
                f'{shared} in common'
            )
        order = np.empty(len(here), np.int64)
        order[np.argsort(there)] = np.argsort(here)
        different = int((self.items.labels[order] != other.items.labels).sum())
        if different:
            raise ValueError(
                f'{self.name!r} and {other.name!r} must give an item the same label, got {different} others'
            )
        return order
