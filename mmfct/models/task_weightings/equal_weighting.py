"""The sum of the tasks' losses."""

from __future__ import annotations

from torch import Tensor

from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.registry import MODELS
from mmfct.utils.distributed import task_means


@MODELS.register_module()
class EqualWeighting(TaskWeighting):
    """Add the mean losses of all tasks: linear scalarisation with equal weights.

    Args:
        forms: Form of each task's loss by task name; only the number of tasks matters here.
    """

    def __init__(self, forms: dict[str, str]) -> None:
        super().__init__()
        self.tasks = tuple(forms)

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch; see `TaskWeighting`."""
        means = task_means(losses, annotated)
        return means.sum(), means.new_ones(means.shape)
