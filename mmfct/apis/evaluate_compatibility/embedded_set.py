"""A gallery, or a set of queries, in memory and ready to be compared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import Provenance


@dataclass(frozen=True)
class EmbeddedSet:
    """Embeddings of N items with labels, and the model that made them.

    Args:
        name: What the user calls it.
        provenance: Which model, and which distance.
        embeddings: Shape (N, D).
        labels: Classes, int64 of shape (N,).
        ids: Strings of shape (N,).
    """

    name: str
    provenance: Provenance
    embeddings: Tensor
    labels: Tensor
    ids: np.ndarray

    @classmethod
    def read(cls, name: str, path: str | Path) -> EmbeddedSet:
        """Read a gallery; sets of queries are galleries too.

        Raises:
            FileNotFoundError: If the folder is no gallery.
            ValueError: If the gallery is damaged, says nothing about its model, or lacks a column.
        """
        gallery = Gallery(path)
        provenance = Provenance.from_metadata(gallery.metadata)
        missing = [column for column in ('embedding', 'id', 'label') if column not in gallery.columns]
        if missing:
            raise ValueError(
                f'a gallery that is evaluated must have the columns embedding, id and label, got {str(path)!r} '
                f'without {", ".join(missing)}'
            )
        return cls(
            name,
            provenance,
            column_tensor(gallery, 'embedding'),
            column_tensor(gallery, 'label'),
            np.asarray(gallery.column('id')),
        )

    def order_of(self, other: EmbeddedSet) -> np.ndarray:
        """Return the rows of this set in the order of another one with the same items.

        Returns:
            int64 of shape (N,): row ``order[i]`` here has the id of row ``i`` there.

        Raises:
            ValueError: If an id occurs twice, or the sets differ in items or labels.
        """
        for items in (self, other):
            if len(np.unique(items.ids)) < len(items.ids):
                raise ValueError(
                    f'ids must be unique to tell items of two sets apart, got repeated ones in {items.name!r}'
                )
        if not np.array_equal(np.sort(self.ids), np.sort(other.ids)):
            shared = len(np.intersect1d(self.ids, other.ids))
            raise ValueError(
                f'{self.name!r} and {other.name!r} must hold the same items, got {len(self.ids)} and '
                f'{len(other.ids)} with {shared} in common'
            )
        order = np.empty(len(self.ids), np.int64)
        order[np.argsort(other.ids)] = np.argsort(self.ids)
        different = int((self.labels[order] != other.labels).sum())
        if different:
            raise ValueError(
                f'{self.name!r} and {other.name!r} must give an item the same label, got {different} others'
            )
        return order


def column_tensor(gallery: Gallery, name: str) -> Tensor:
    """Return a whole column as a tensor in memory, of shape (N, D) or (N,)."""
    rows = gallery.column(name)
    return torch.from_numpy(rows if rows.flags.writeable else np.array(rows))
