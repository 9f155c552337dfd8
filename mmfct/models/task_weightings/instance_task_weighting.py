"""Learned log-variances per training instance and task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmfct.functional.task_weighting import log_variance_gradient, task_weights, weight_form, weighted_losses
from mmfct.instances.comparison import Comparison
from mmfct.instances.parameters import InstanceParameters
from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.registry import MODELS


@MODELS.register_module()
class InstanceTaskWeighting(InstanceParameters, TaskWeighting):
    """Weight losses by learned log-variances ``s[i, t] = s_task[t] + d[i, t]``.

    The objective is the sum over tasks of the mean over annotated instances of ``k exp(-a s) l + s / 2``, with k and
    a by the form of the loss (see `mmfct.functional.task_weighting`). With ``instance=False`` it is uncertainty
    weighting (Kendall et al., arXiv 1705.07115), with ``shared=False`` the pure instance form; both together are how
    the idea of arXiv 2106.06129 reads, whose formulas are not public. ``s_task`` is an ordinary parameter of the
    network's optimiser, ``d`` is trained by `mmfct.InstanceTaskWeightHook`. `mmfct.AgreementWeighting` is better at
    telling wrong labels, and needs no rate.

    Args:
        forms: Form of each task's loss, ``'gaussian'``, ``'laplace'`` or ``'classification'``, by task name.
        shared: Whether ``s_task`` is learned; otherwise it stays 0.
        instance: Whether ``d`` is learned; otherwise it stays 0.

    Raises:
        ValueError: If a form is unknown, neither part is learned, or in a step rows are missing or too many, or a loss
            is not finite.
    """

    def __init__(self, forms: dict[str, str], *, shared: bool = True, instance: bool = True) -> None:
        if not (shared or instance):
            raise ValueError('`shared` or `instance` must be true; for equal weights use mmfct.EqualWeighting')
        chosen = [weight_form(form) for form in forms.values()]
        super().__init__(
            tuple(forms),
            [form.factor for form in chosen],
            [form.exponent for form in chosen],
            scale_power=2,
            shared=shared,
            instance=instance,
        )

    def forward(
        self, losses: Tensor, annotated: Tensor, comparisons: Sequence[Comparison] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch.

        Args:
            losses: Losses of shape (B, T).
            annotated: Booleans (B, T): whether the instance has a label of the task.
            comparisons: Predictions and labels of each task, for those who asked for them.

        Returns:
            The objective, a scalar, and the mean weight (T,) of each task's annotated instances of this rank, for the
            log.
        """
        losses = losses.float()  # half precision has too few digits for exp(-s) l
        self.check_finite(losses, annotated)
        # Where nothing is annotated there may be anything; a NaN would reach the gradient of `s_task`.
        losses = losses.masked_fill(~annotated, 0.0)
        self.offer_comparisons(comparisons)
        self.start_scales(losses, annotated)
        log_variance = self.log_variance.expand(losses.shape)
        if self.instance_tasks:
            log_variance = log_variance + self.take_rows(len(losses))
            with torch.no_grad():
                gradient = log_variance_gradient(losses, log_variance, self.factor, self.exponent)
                self.report(gradient, annotated, losses)
        weighted = weighted_losses(losses, log_variance, self.factor, self.exponent)
        weights = task_weights(log_variance.detach(), self.factor, self.exponent)
        return self.means(weighted, annotated).sum(), self.logged(weights, annotated)
