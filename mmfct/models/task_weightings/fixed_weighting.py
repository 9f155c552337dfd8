"""Weights that somebody has chosen."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from mmfct.registry import MODELS
from mmfct.utils.distributed import task_means


@MODELS.register_module()
class FixedWeighting(nn.Module):
    """Add the mean losses of all tasks, each times a number.

    Args:
        forms: Form of each task's loss by task name; only the names matter here.
        weights: Weight of each task, by task name.

    Raises:
        ValueError: If ``weights`` has not one finite number of at least 0 for each task.
    """

    task_weights: Tensor

    def __init__(self, forms: dict[str, str], weights: dict[str, float]) -> None:
        super().__init__()
        if set(weights) != set(forms):
            raise ValueError(
                f'`weights` must have a number for each of the tasks {list(forms)}, got {dict(weights)!r}'
            )
        if not all(weight >= 0 and math.isfinite(weight) for weight in weights.values()):
            raise ValueError(f'`weights` must be finite numbers of at least 0, got {dict(weights)!r}')
        self.tasks = tuple(forms)
        values = [float(weights[task]) for task in self.tasks]
        self.register_buffer('task_weights', torch.tensor(values), persistent=False)

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch.

        Args:
            losses: Losses of shape (B, T).
            annotated: Booleans (B, T): whether the instance has a label of the task.

        Returns:
            The objective, a scalar, and the weights (T,) of the tasks' means, for the log.
        """
        return (self.task_weights * task_means(losses, annotated)).sum(), self.task_weights
