"""Average losses over the annotated instances of the global batch."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor


def task_means(losses: Tensor, annotated: Tensor, count: Tensor | None = None) -> Tensor:
    """Return the mean loss of each task over its annotated instances.

    Under several ranks the count is that of all of them: the ranks hold different numbers of annotations, and the
    mean over ranks, which DDP takes of the gradients, must be the mean over the instances of the global batch.

    Args:
        losses: Losses of shape (B, T).
        annotated: Booleans of the same shape.
        count: Mean over ranks of the number of annotated instances, a scalar, where it is known: then the ranks need
            not meet here.

    Returns:
        Means of shape (T,), 0 for a task without any annotation in the batch.
    """
    if count is None:
        counts = annotated.sum(dim=0).to(losses.dtype)
        all_reduce(counts, op='mean')
    else:
        counts = count.to(losses.dtype)
    # Not a clamp at 1: one annotation on one of four ranks is a count of 1/4.
    counts = torch.where(counts > 0, counts, torch.ones_like(counts))
    return torch.where(annotated, losses, torch.zeros_like(losses)).sum(dim=0) / counts
