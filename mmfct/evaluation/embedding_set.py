"""Embeddings of labelled items in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mmfct.retrieval import Gallery


@dataclass(frozen=True)
class EmbeddingSet:
    """Embeddings of N labelled items by one model: queries, or a gallery.

    Args:
        embeddings: Shape (N, D).
        labels: Classes, integers of shape (N,).
        ids: Integers or strings of shape (N,); the same item has the same id in every set.
    """

    embeddings: Tensor
    labels: Tensor
    ids: Tensor | np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """Width D of the embeddings."""
        return self.embeddings.shape[1]

    def take(self, rows: slice | np.ndarray) -> EmbeddingSet:
        """Return some of the items, or all of them in another order."""
        return EmbeddingSet(self.embeddings[rows], self.labels[rows], self.ids[rows])

    @classmethod
    def read(cls, gallery: Gallery) -> EmbeddingSet:
        """Read the columns ``embedding``, ``label`` and ``id`` of a gallery; embedding sets are stored as galleries.

        Raises:
            ValueError: If one of them is missing.
        """
        missing = [column for column in ('embedding', 'id', 'label') if column not in gallery.columns]
        if missing:
            raise ValueError(
                'a gallery that is evaluated must have the columns embedding, id and label, '
                f'got {str(gallery.path)!r} without {", ".join(missing)}'
            )
        ids = np.asarray(gallery.column('id'))
        return cls(column_tensor(gallery, 'embedding'), column_tensor(gallery, 'label'), ids)


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


def column_tensor(gallery: Gallery, name: str) -> Tensor:
    """Read a whole column of a gallery into a tensor of shape (N, D) or (N,)."""
    rows = gallery.column(name)
    return torch.from_numpy(rows if rows.flags.writeable else np.array(rows))
