"""The contract of task weightings with weights per training instance."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from torch import Tensor

from mmfct.instances.comparison import Comparison
from mmfct.instances.scaled_module import ScaledInstanceModule
from mmfct.models.task_weightings.task_weighting import TaskWeighting


class InstanceWeighting(ScaledInstanceModule, TaskWeighting):
    """Base of weightings whose objective is the sum over tasks of the mean of weighted losses of instances."""

    @abstractmethod
    def weighted(
        self, losses: Tensor, annotated: Tensor, comparisons: Sequence[Comparison] | None
    ) -> tuple[Tensor, Tensor]:
        """Weight the losses of a batch, and leave a report for the store.

        Args:
            losses: Losses of shape (B, T), float32; 0 where not annotated.
            annotated: Booleans (B, T).
            comparisons: As for :meth:`forward`.

        Returns:
            The weighted losses (B, T), and the weights (B, T).
        """

    def forward(
        self, losses: Tensor, annotated: Tensor, comparisons: Sequence[Comparison] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch.

        Args:
            losses: Losses of shape (B, T).
            annotated: Booleans (B, T): whether the instance has a label of the task.
            comparisons: Predictions and labels of each task, where ``needs_comparisons``.

        Returns:
            The objective, a scalar, and the mean weight (T,) of each task's annotated instances of this rank, for the
            log.
        """
        losses = losses.float()  # half precision has too few digits for exp(-s) l
        self.check_finite(losses, annotated)
        losses = losses.masked_fill(~annotated, 0.0)  # there may be anything, and a NaN would reach the gradient
        self.offer_comparisons(comparisons)
        self.start_scales(losses, annotated)
        weighted, weights = self.weighted(losses, annotated, comparisons)
        return self.means(weighted, annotated).sum(), self.logged(weights, annotated)
