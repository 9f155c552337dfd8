"""The contract of task weightings."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn


class TaskWeighting(nn.Module, ABC):
    """Base of what turns the losses of a batch into one objective.

    A registered weighting is built with ``forms``, the form of each task's loss by task name (see
    `mmfct.functional.task_weighting`), beside its own options.

    Attributes:
        tasks: Names of the T tasks, in the order of columns.
    """

    tasks: tuple[str, ...]

    @property
    def needs_comparisons(self) -> bool:
        """Whether ``forward`` takes ``comparisons`` too, a `Comparison` of each task."""
        return False

    @abstractmethod
    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch.

        Args:
            losses: Losses of shape (B, T).
            annotated: Booleans (B, T): whether the instance has a label of the task.

        Returns:
            The objective, a scalar, and the weights (T,) of the tasks' means, for the log.
        """

    def set_epoch(self, epoch: int) -> None:  # noqa: B027 - most weightings do not depend on it
        """Say which epoch the next training step belongs to, counted from 0."""
