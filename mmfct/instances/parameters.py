"""Modules with a learned parameter per training instance and task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mmfct.functional.task_weighting import task_weights
from mmfct.instances.module import InstanceModule


class InstanceParameters(InstanceModule):
    """Base of modules whose rows are parameters ``d[i, t]``, and which report the gradient of each.

    Args:
        tasks: Names of the tasks.
        factor: k of each task; its weight is ``k exp(-a (s_task + sharpness d))``.
        exponent: a of each task.
        sharpness: How strongly ``d`` acts on the weight.
        scale_power: ``d`` is the logarithm of a scale to this power: 2 for a log-variance, 1 for a log-temperature.
        shared: Whether ``s_task`` is learned; otherwise it stays 0.
        instance: Whether ``d`` is learned; otherwise it stays 0.

    Attributes:
        log_variance: The parameter ``s_task`` of shape (T,), trained by the network's optimiser.
    """

    hook = 'mmfct.InstanceTaskWeightHook'
    factor: Tensor
    exponent: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        factor: Sequence[float],
        exponent: Sequence[float],
        *,
        sharpness: float = 1.0,
        scale_power: float,
        shared: bool,
        instance: bool,
    ) -> None:
        super().__init__(tasks, instance=instance)
        self.sharpness = sharpness
        self.scale_power = scale_power
        self.register_buffer('factor', torch.tensor(factor), persistent=False)
        self.register_buffer('exponent', torch.tensor(exponent), persistent=False)
        self.log_variance = nn.Parameter(torch.zeros(len(self.tasks)), requires_grad=shared)

    def weights(self, rows: Tensor) -> Tensor:
        """Return the weights (N, T) that belong to parameters ``d`` (N, T)."""
        return task_weights(self.log_variance.detach() + self.sharpness * rows, self.factor, self.exponent)
