"""A whole table of cached embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DATASETS
from torch import Tensor

from mmfct.apis.evaluate_compatibility.embedded_set import column_tensor


@dataclass(frozen=True)
class Table:
    """All rows of a table, in memory.

    Args:
        embeddings: Role (``old``, ``new``, ``side``) -> embeddings of shape (N, D); N counts every view.
        labels: Classes of shape (N,).
        ids: Index of each image of shape (N,).
    """

    embeddings: dict[str, Tensor]
    labels: Tensor
    ids: Tensor

    @classmethod
    def of(cls, dataset: ConfigDict) -> Table:
        """Read the table of an `EmbeddingTable`, given by its config; it is computed first if it is missing."""
        table = DATASETS.build(dataset)
        table.full_init()
        embeddings = {role: column_tensor(table.gallery, role).float() for role in table.roles}
        return cls(embeddings, column_tensor(table.gallery, 'label'), column_tensor(table.gallery, 'id'))

    def inputs(self, *, use_side: bool) -> Tensor:
        """Return what the gallery stores and a method may use, of shape (N, D) or (N, D + S)."""
        roles = ('old', 'side') if use_side else ('old',)
        return torch.cat([self.embeddings[role] for role in roles], dim=1)


def check_table(dataset: ConfigDict, entry: str) -> None:
    """Raise a ``ValueError`` unless the data set at ``entry`` of a config is an `EmbeddingTable`."""
    if dataset.type != 'mmfct.EmbeddingTable':
        raise ValueError(
            f'`{entry}` must be a `mmfct.EmbeddingTable`, as in configs that train from cached embeddings, '
            f'got {dataset.type!r}'
        )
