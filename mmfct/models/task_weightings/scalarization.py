"""Objectives that are a function of the tasks' mean losses."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.utils.distributed import global_means


class Scalarization(TaskWeighting):
    """Base of weightings whose objective is a function of the tasks' means; its derivatives are the weights."""

    @abstractmethod
    def scalarize(self, means: Tensor, present: Tensor) -> Tensor:
        """Return the objective, a scalar.

        Args:
            means: Mean losses (T,) of the global batch, 0 for a task without any annotation.
            present: Booleans (T,): which tasks have one. The objective must not depend on the other tasks.
        """

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch; see `TaskWeighting`."""
        means, present = global_means(losses, annotated)
        with torch.enable_grad():
            point = means.detach().requires_grad_()
            (weights,) = torch.autograd.grad(self.scalarize(point, present), point)
        return self.scalarize(means, present), weights
