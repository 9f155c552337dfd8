"""Weights per training instance and task by how well the label agrees with the image."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor

from mmfct.functional.label_agreement import contrasts
from mmfct.functional.task_weighting import task_weights, weighted_losses
from mmfct.instances.comparison import Comparison
from mmfct.models.task_weightings.instance_weighting import InstanceWeighting
from mmfct.registry import MODELS


@MODELS.register_module()
class AgreementWeighting(InstanceWeighting):
    """Weight each label by the evidence that it belongs to its image, and each task by a learned log-variance.

    A wrong label fits the prediction of its own image no better than those of other images. In every step the label of
    an instance is compared with its own prediction and with those of other images of the batch (`contrasts`); after
    every epoch the mean contrasts of all instances give the weights ``w[i, t]``, of mean 1 in each task
    (`mmfct.functional.label_agreement.fit_agreement`). The objective is the sum over tasks of the mean over annotated
    instances of ``w (k exp(-a s_task) l + s_task / 2)``, with k and a by the form of the loss (see
    `mmfct.functional.task_weighting`). In the first epoch, and while the network has learned nothing, w is 1: that is
    uncertainty weighting (Kendall et al., arXiv 1705.07115).

    This is the project's formulation of instance-level task parameters (the idea is that of arXiv 2106.06129, whose
    formulas are not public). Nothing depends on the unit of a loss. The contrasts have no gradient, and maps are
    compared on a grid of at most 64 x 64 pixels: a step costs little more than with equal weights.

    Images that have the same class (or the same row of numbers) are not compared: each fits the other's label. Nothing
    else is known about images of a batch, so several frames of one clip, or copies of one map, should be rare in it.

    A head whose predictions depend on the label, such as ArcFace in training, cannot be judged this way; use
    `mmfct.InstanceTaskWeighting` there.

    Args:
        forms: Form of each task's loss, ``'gaussian'``, ``'laplace'`` or ``'classification'``, by task name.
        others: Most other predictions that a label is compared with in a step. A batch of one on a single rank takes
            those of the batches before.
        shared: Whether ``s_task`` is learned; otherwise the objective is the mean of ``w l``.

    Raises:
        ValueError: If a form is unknown, ``others`` is below 1, or in a step rows or comparisons are missing or too
            many, or a loss is not finite.
    """

    def __init__(self, forms: dict[str, str], *, others: int = 7, shared: bool = True) -> None:
        if others < 1:
            raise ValueError(f'`others` must be at least 1, got {others!r}')
        super().__init__(forms, shared=shared)
        self.others = others
        self._earlier: list[deque[Comparison]] = [deque(maxlen=others) for _ in forms]

    @property
    def needs_comparisons(self) -> bool:
        """Whether the forward pass takes a `Comparison` of each task."""
        return self.training or self.keep_comparisons

    def weights(self, rows: Tensor) -> Tensor:
        """Return the weights (N, T) of the losses of instances with weights ``w`` (N, T)."""
        return rows * self.task_weights() if self.log_variance.requires_grad else rows

    def weighted(
        self, losses: Tensor, annotated: Tensor, comparisons: Sequence[Comparison] | None
    ) -> tuple[Tensor, Tensor]:
        """Return weighted losses and weights, both (B, T), and report contrasts; see `InstanceWeighting`."""
        rows = self.take_rows(len(losses))
        self.report(self._contrasts(losses, comparisons), annotated, losses)
        if not self.log_variance.requires_grad:
            return rows * losses, rows
        scales = self.log_variance.expand(losses.shape)
        weighted = rows * weighted_losses(losses, scales, self.factor, self.exponent)
        return weighted, rows * task_weights(scales.detach(), self.factor, self.exponent)

    @torch.no_grad()
    def _contrasts(self, losses: Tensor, comparisons: Sequence[Comparison] | None) -> Tensor:
        """Return the contrasts (B, T) of a batch; NaN without others, and in evaluation mode."""
        if not self.training:
            return torch.full_like(losses, torch.nan)
        if comparisons is None:
            raise ValueError(
                'weights by agreement need the predictions and labels of a batch; use them in a '
                'mmfct.MultiTaskSegmentor, or in a mmfct.InstanceTaskWeightLoss'
            )
        columns = []
        for comparison, earlier in zip(comparisons, self._earlier, strict=True):
            # Ranks that do not all run this module have a count of their own, and must not wait for one another.
            own, others = comparison.losses(self.others, earlier=earlier, all_ranks=self._count is None)
            columns.append(contrasts(own[:, None], others[..., None])[:, 0])
            if len(comparison.outputs) > 1:
                earlier.clear()  # one such batch is enough, and a fresh one
            earlier.append(comparison)
        return torch.stack(columns, dim=1)
