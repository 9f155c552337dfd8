"""Mean losses of the global batch, for objectives that are not a weighted sum."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmfct.models.task_weightings.task_means import task_means


def global_means(losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean loss of each task over the global batch, and which tasks have one.

    The values are those of all ranks together, the gradient is that of this rank's share: a function of them has on
    every rank the value that one process has, and the mean over ranks, which DDP takes of the gradients, is its
    gradient.

    Args:
        losses: Losses of shape (B, T).
        annotated: Booleans of the same shape.

    Returns:
        Means of shape (T,), float32, 0 for a task without any annotation in the batch, and booleans (T,).
    """
    means = task_means(losses.float(), annotated)  # half precision has too few digits for products of losses
    exchanged = torch.stack([means.detach(), annotated.any(dim=0).to(means.dtype)])
    all_reduce(exchanged, op='mean')
    return means + (exchanged[0] - means.detach()), exchanged[1] > 0
