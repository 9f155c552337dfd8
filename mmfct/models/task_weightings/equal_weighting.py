"""The sum of the tasks' losses."""

from __future__ import annotations

from torch import Tensor, nn

from mmfct.registry import MODELS
from mmfct.utils.distributed import task_means


@MODELS.register_module()
class EqualWeighting(nn.Module):
    """Add the mean losses of all tasks: linear scalarisation with equal weights.

    Args:
        forms: Form of each task's loss by task name; only the number of tasks matters here.
    """

    def __init__(self, forms: dict[str, str]) -> None:
        super().__init__()
        self.tasks = tuple(forms)

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch.

        Args:
            losses: Losses of shape (B, T).
            annotated: Booleans (B, T): whether the instance has a label of the task.

        Returns:
            The objective, a scalar, and the weights (T,) of the tasks' means, for the log.
        """
        means = task_means(losses, annotated)
        return means.sum(), means.new_ones(means.shape)
