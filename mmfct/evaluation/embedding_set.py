"""Embeddings of items in memory, with their classes where these are known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmfct.functional.retrieval_scores import UNKNOWN
from mmfct.retrieval.gallery.reader import GallerySource


@dataclass(frozen=True)
class EmbeddingSet:
    """Embeddings of N items by one model: queries, or a gallery.

    Args:
        embeddings: Shape (N, D).
        labels: Classes, integers of shape (N,); -1 where the class is not known.
        ids: Integers or strings of shape (N,); the same item has the same id in every set.
        groups: Integers or strings of shape (N,), such as cameras: a search leaves out items of the query's group;
            ``None`` for none.
    """

    embeddings: Tensor
    labels: Tensor
    ids: Tensor | np.ndarray
    groups: Tensor | np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """Width D of the embeddings."""
        return self.embeddings.shape[1]

    @property
    def num_unlabelled(self) -> int:
        """Number of items whose class is not known."""
        return int((self.labels == UNKNOWN).sum())

    @property
    def is_labelled(self) -> bool:
        """Whether the class of an item is known."""
        return self.num_unlabelled < len(self)

    def take(self, rows: slice | np.ndarray) -> EmbeddingSet:
        """Return some of the items, or all of them in another order."""
        groups = None if self.groups is None else self.groups[rows]
        return EmbeddingSet(self.embeddings[rows], self.labels[rows], self.ids[rows], groups)

    @classmethod
    def read(cls, gallery: GallerySource, *, need_labels: bool = True) -> EmbeddingSet:
        """Read the columns ``embedding``, ``label`` and ``id`` of a gallery; embedding sets are stored as galleries.

        Args:
            gallery: The gallery.
            need_labels: Whether there must be labels; else all classes are unknown without the column.

        Raises:
            ValueError: If one of them is missing.
        """
        needed = ('embedding', 'id', 'label') if need_labels else ('embedding', 'id')
        missing = [column for column in needed if column not in gallery.columns]
        if missing:
            raise ValueError(
                f'a gallery that is evaluated must have the columns {", ".join(needed[:-1])} and {needed[-1]}, '
                f'got {str(gallery.path)!r} without {", ".join(missing)}'
            )
        unknown = 'label' not in gallery.columns
        labels = torch.full((len(gallery),), UNKNOWN) if unknown else column_tensor(gallery, 'label')
        return cls(column_tensor(gallery, 'embedding'), labels, np.asarray(gallery.column('id')))


def rows_of(ids: Tensor | np.ndarray, wanted: Tensor | np.ndarray) -> Tensor:
    """Find rows by id.

    Args:
        ids: Ids of the rows, of shape (N,), each of which occurs once.
        wanted: Ids to look for, of shape (M,).

    Returns:
        int64 of shape (M,): the row of each id, -1 where there is none.
    """
    known, asked = np.asarray(ids), np.asarray(wanted)
    order = np.argsort(known)
    rows = order[np.searchsorted(known, asked, sorter=order).clip(max=len(known) - 1)]
    return torch.from_numpy(np.where(known[rows] == asked, rows, -1))


def sets_of_roles(
    embeddings: Mapping[str, Tensor], labels: Tensor, ids: Tensor | np.ndarray
) -> dict[str, EmbeddingSet]:
    """Return a set for each model that embedded the same items; they share labels and ids.

    Args:
        embeddings: Role of the model (``old``, ``new``, ...) -> embeddings of shape (N, D), where D may differ.
        labels: Shape (N,).
        ids: Shape (N,).
    """
    return {role: EmbeddingSet(rows, labels, ids) for role, rows in embeddings.items()}


def count_unlabelled(sets: Mapping[str, EmbeddingSet]) -> dict[str, tuple[int, int]]:
    """Return the number of items and of those without a class, by name, of the sets that have such items."""
    counts = {name: (len(items), items.num_unlabelled) for name, items in sets.items()}
    return {name: count for name, count in counts.items() if count[1]}


def column_tensor(gallery: GallerySource, name: str) -> Tensor:
    """Read a whole column of a gallery into a tensor of shape (N, D) or (N,)."""
    rows = gallery.column(name)
    return torch.from_numpy(rows if rows.flags.writeable else np.array(rows))
