"""Tables of cached embeddings, which a config names as its data sets."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from mmengine.config import ConfigDict
from mmengine.registry import DATASETS
from torch import Tensor

from mmfct.evaluation.embedding_set import EmbeddingSet, column_tensor, sets_of_roles

# Role (``old``, ``new``, ``side``) -> embeddings of the same images by that model; every view counts as an image.
Table = Mapping[str, EmbeddingSet]


def read_table(dataset: ConfigDict) -> Table:
    """Read an `EmbeddingTable`, given by its config, into memory; it is computed first if it is missing."""
    table = DATASETS.build(dataset)
    table.full_init()
    embeddings = {role: column_tensor(table.gallery, role).float() for role in table.roles}
    return sets_of_roles(embeddings, column_tensor(table.gallery, 'label'), column_tensor(table.gallery, 'id'))


def method_inputs(table: Table, *, use_side: bool) -> Tensor:
    """Return what the gallery stores and a method may use, of shape (N, D) or, with side-information, (N, D + S)."""
    roles = ('old', 'side') if use_side else ('old',)
    return torch.cat([table[role].embeddings for role in roles], dim=1)


def check_table(dataset: ConfigDict, entry: str) -> None:
    """Raise a ``ValueError`` unless the data set at ``entry`` of a config is an `EmbeddingTable`."""
    if dataset.type != 'mmfct.EmbeddingTable':
        raise ValueError(
            f'`{entry}` must be a `mmfct.EmbeddingTable`, as in configs that train from cached embeddings, '
            f'got {dataset.type!r}'
        )
