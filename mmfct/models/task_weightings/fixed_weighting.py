"""User-supplied task weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.registry import MODELS
from mmfct.utils.distributed import task_means


@MODELS.register_module()
class FixedWeighting(TaskWeighting):
    """Add the mean losses of all tasks, each times a given weight.

    Args:
        forms: Form of each task's loss by task name; only the names matter here.
        weights: Weight of each task, by task name.

    Raises:
        ValueError: If ``weights`` has not one finite number of at least 0 for each task, or only zeros.
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
        if not any(weights.values()):
            raise ValueError(f'`weights` must be above 0 for some task, or nothing is learned, got {dict(weights)!r}')
        self.tasks = tuple(forms)
        values = [float(weights[task]) for task in self.tasks]
        self.register_buffer('task_weights', torch.tensor(values), persistent=False)

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch; see `TaskWeighting`."""
        return (self.task_weights * task_means(losses, annotated)).sum(), self.task_weights
