"""A host's loss, called as the hosts call their own, with one value per instance inside."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from mmfct.instances.comparison import Comparison
from mmfct.models.losses.instance_losses import instance_losses, unreduced


class WrappedLoss(nn.Module, ABC):
    """Base of losses that wrap a host's and make an objective of its values per instance.

    Attributes:
        loss: The host's loss of scores and labels.
    """

    loss: nn.Module

    @abstractmethod
    def objective(
        self, scores: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int | None, *, summed: bool
    ) -> Tensor:
        """Return the objective of a batch, a scalar.

        Args:
            scores: Scores, as for :meth:`forward`, and so the next three.
            target: Labels.
            weight: Weight of each element.
            ignore_index: Label of elements that do not count.
            summed: Whether the loss of an instance is the sum over its elements, and not their mean.
        """

    def comparison(self, scores: Tensor, target: Tensor, ignore_index: int | None) -> Comparison:
        """Return the predictions and labels of a batch, to be compared with others.

        Raises:
            ValueError: If they are those of points, (B, C, N): every image has points at other places.
        """
        if scores.dim() == 3:
            raise ValueError(
                'scores must be (B, C) or (B, C, H, W) to be compared with those of other images, got the shape '
                f'{tuple(scores.shape)}: a head that draws points for every image, such as PointHead, must keep its '
                'own loss unwrapped'
            )
        return Comparison.of(
            lambda outputs, targets: instance_losses(self.loss, outputs, targets, None, ignore_index), scores, target
        )

    @property
    def loss_name(self) -> str:
        """Name under which mmseg logs the loss."""
        return getattr(self.loss, 'loss_name', 'loss')

    def forward(
        self,
        prediction: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | None = None,
        ignore_index: int | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the objective of a batch, a scalar.

        Args:
            prediction: Scores of shape (B, C) or (B, C, H, W).
            target: Labels of shape (B,) or (B, H, W), or soft labels (B, C).
            weight: Weight of each element, for the wrapped loss.
            avg_factor: Number of instances, from heads of mmpretrain: they divide by it the sum over all instances and
                classes, so the loss of an instance is then the sum over its classes. The mean over annotated instances
                needs no number.
            ignore_index: Label of elements that do not count.
            reduction_override: ``'none'`` returns the values of the wrapped loss as they are: mmseg's
                ``OHEMPixelSampler`` chooses pixels by them.

        Raises:
            ValueError: If another reduction is asked for.
        """
        if reduction_override is None:
            return self.objective(prediction, target, weight, ignore_index, summed=avg_factor is not None)
        if reduction_override != 'none':
            raise ValueError(f"`reduction_override` must be 'none' or None, got {reduction_override!r}")
        return unreduced(self.loss, prediction, target, weight, ignore_index)
