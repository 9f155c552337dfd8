"""The geometric mean of the tasks' losses."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmfct.registry import MODELS
from mmfct.utils.distributed import global_means


@MODELS.register_module()
class GeometricLossStrategy(nn.Module):
    """GLS: the objective is the geometric mean of the T tasks' mean losses, ``(l_1 * ... * l_T) ** (1 / T)``.

    Chennupati et al., "MultiNet++", CVPR workshops 2019 (arXiv 1904.08492). Scaling one loss scales the objective and
    changes no direction. A task without annotation in the batch is no factor, and T counts the others.

    Args:
        forms: Form of each task's loss by task name; only the number of tasks matters here.
    """

    def __init__(self, forms: dict[str, str]) -> None:
        super().__init__()
        self.tasks = tuple(forms)

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch.

        Args:
            losses: Losses of shape (B, T), at least 0.
            annotated: Booleans (B, T): whether the instance has a label of the task.

        Returns:
            The objective, a scalar, and the weights (T,) of the tasks' means, which are its derivatives, for the log.

        Raises:
            ValueError: If the mean loss of a task is below 0.
        """
        means, present = global_means(losses, annotated)
        if (means < 0).any():
            raise ValueError(f'`losses` must be at least 0 for a geometric mean, got means {means.tolist()}')
        means = means.clamp(min=torch.finfo(means.dtype).tiny)  # the logarithm of 0 has no gradient
        count = present.sum().clamp(min=1)
        objective = (means.log() * present).sum().div(count).exp() * present.any()
        return objective, torch.where(present, objective.detach() / (count * means.detach()), 0.0)
