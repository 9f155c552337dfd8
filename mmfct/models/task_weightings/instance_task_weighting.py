"""Learned log-variances per training instance and task."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mmfct.functional.task_weighting import log_variance_gradient, task_weights, weighted_losses
from mmfct.instances.comparison import Comparison
from mmfct.instances.parameters import InstanceParameters
from mmfct.models.task_weightings.instance_weighting import InstanceWeighting
from mmfct.registry import MODELS


@MODELS.register_module()
class InstanceTaskWeighting(InstanceParameters, InstanceWeighting):
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
        super().__init__(forms, scale_power=2, shared=shared, instance=instance)

    def weighted(
        self, losses: Tensor, annotated: Tensor, comparisons: Sequence[Comparison] | None
    ) -> tuple[Tensor, Tensor]:
        """Return weighted losses and weights, both (B, T), and report gradients; see `InstanceWeighting`."""
        log_variance = self.log_variance.expand(losses.shape)
        if self.instance_tasks:
            log_variance = log_variance + self.take_rows(len(losses))
            with torch.no_grad():
                gradient = log_variance_gradient(losses, log_variance, self.factor, self.exponent)
                self.report(gradient, annotated, losses)
        weighted = weighted_losses(losses, log_variance, self.factor, self.exponent)
        return weighted, task_weights(log_variance.detach(), self.factor, self.exponent)
