"""Leave-one-out batch mean: a prediction that ignores the image."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor


@torch.no_grad()
def mean_of_others(outputs: Tensor) -> Tensor | None:
    """Return, for each instance, the mean output of all others in the global batch.

    Args:
        outputs: Outputs of shape (B, ...), of one size on all ranks.

    Returns:
        Means of the same shape, float32, without gradient; ``None`` if the global batch is a single instance.
    """
    outputs = outputs.detach().float()
    total, count = outputs.sum(dim=0), outputs.new_tensor(len(outputs))
    all_reduce(total)
    all_reduce(count)
    return (total - outputs) / (count - 1) if count > 1 else None
