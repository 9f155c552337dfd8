"""New random weights in every step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.registry import MODELS
from mmfct.utils.distributed import global_means


@MODELS.register_module()
class RandomLossWeighting(TaskWeighting):
    """RLW: weight the tasks' mean losses by the softmax of normal draws, new ones in every step.

    Lin et al., "Reasonable Effectiveness of Random Weighting: A Litmus Test for Multi-Task Learning" (arXiv
    2111.10603). The weights of the tasks that have annotations in the batch add up to 1. They are a function of seed
    and step: the same on every rank, and the same in a resumed training as in one that was not interrupted.

    Args:
        forms: Form of each task's loss by task name; only the number of tasks matters here.
        seed: Seed of the draws, at least 0.

    Raises:
        ValueError: If ``seed`` is below 0.
    """

    num_steps: Tensor

    def __init__(self, forms: dict[str, str], *, seed: int = 0) -> None:
        super().__init__()
        if seed < 0:
            raise ValueError(f'`seed` must be at least 0, got {seed!r}')
        self.tasks = tuple(forms)
        self.seed = seed
        self.register_buffer('num_steps', torch.tensor(0))

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch; see `TaskWeighting`."""
        means, present = global_means(losses, annotated)
        draws = np.random.default_rng([self.seed, int(self.num_steps)]).standard_normal(len(self.tasks))
        if self.training:
            self.num_steps += 1
        scores = torch.from_numpy(draws).to(means).masked_fill(~present, -torch.inf)
        weights = scores.softmax(dim=0).where(present, 0.0)  # without any annotation the softmax is NaN
        return (weights * means).sum(), weights
