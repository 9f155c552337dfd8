"""The geometric mean of the tasks' losses."""

from __future__ import annotations

import torch
from torch import Tensor

from mmfct.models.task_weightings.scalarization import Scalarization
from mmfct.registry import MODELS


@MODELS.register_module()
class GeometricLossStrategy(Scalarization):
    """GLS: the objective is the geometric mean of the T tasks' mean losses, ``(l_1 * ... * l_T) ** (1 / T)``.

    Chennupati et al., "MultiNet++", CVPR workshops 2019 (arXiv 1904.08492). Scaling one loss scales the objective and
    changes no direction. A task without annotation in the batch is no factor, and T counts the others.

    Args:
        forms: Form of each task's loss by task name; only the number of tasks matters here.

    Raises:
        ValueError: In a step, if the mean loss of a task is below 0.
    """

    def __init__(self, forms: dict[str, str]) -> None:
        super().__init__()
        self.tasks = tuple(forms)

    def scalarize(self, means: Tensor, present: Tensor) -> Tensor:
        """Return the geometric mean of the means (T,) of the tasks that are present (T,)."""
        if (means < 0).any():
            raise ValueError(f'`losses` must be at least 0 for a geometric mean, got means {means.tolist()}')
        means = means.clamp(min=torch.finfo(means.dtype).tiny)  # the logarithm of 0 has no gradient
        count = present.sum().clamp(min=1)
        return (means.log() * present).sum().div(count).exp() * present.any()
