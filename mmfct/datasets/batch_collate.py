"""Collate function for data sets that deliver whole batches."""

from __future__ import annotations

from torch.utils.data import default_collate

from mmfct.registry import FUNCTIONS


@FUNCTIONS.register_module()
def batch_collate(batch: dict | list) -> dict:
    """Pass on a batch that the data set gathered itself; stack single items as torch does.

    `EmbeddingTable` gathers a batch in one indexing operation, which torch's data loader supports by
    ``__getitems__``; behind a wrapper that lacks it, single items arrive.

    Args:
        batch: A batch, a dict with tensors (B, ...); or a list of B items.

    Returns:
        The batch.
    """
    return batch if isinstance(batch, dict) else default_collate(batch)
