"""Collate function for data sets that return whole batches."""

from __future__ import annotations

from torch.utils.data import default_collate

from mmfct.registry import FUNCTIONS


@FUNCTIONS.register_module()
def batch_collate(batch: dict | list) -> dict:
    """Pass on a batch that the data set has gathered; stack single items as torch does.

    `EmbeddingTable` gathers a batch in one indexing operation: torch's data loader calls its ``__getitems__``. Behind
    a wrapper without that method, single items arrive.

    Args:
        batch: A batch, a dict with tensors (B, ...); or a list of B items.

    Returns:
        The batch.
    """
    return batch if isinstance(batch, dict) else default_collate(batch)
