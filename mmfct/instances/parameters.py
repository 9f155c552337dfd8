"""Modules with a learned parameter per training instance and task."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mmfct.functional.task_weighting import task_weights
from mmfct.instances.scaled_module import ScaledInstanceModule


class InstanceParameters(ScaledInstanceModule):
    """Base of modules whose rows are parameters ``d[i, t]``, and which report the gradient of each.

    Args:
        forms: Form of each task's loss by task name; the weight of an instance is ``k exp(-a (s_task + d))``.
        scale_power: ``d`` is the logarithm of a scale to this power: 2 for a log-variance, 1 for a log-temperature.
        shared: Whether ``s_task`` is learned; otherwise it stays 0.
        instance: Whether ``d`` is learned; otherwise it stays 0.
    """

    def __init__(self, forms: Mapping[str, str], *, scale_power: float, shared: bool, instance: bool) -> None:
        super().__init__(forms, shared=shared, instance=instance)
        self.scale_power = scale_power

    def weights(self, rows: Tensor) -> Tensor:
        """Return the weights (N, T) that belong to parameters ``d`` (N, T)."""
        return task_weights(self.log_variance.detach() + rows, self.factor, self.exponent)
