"""Learned weights per training instance and task."""

from __future__ import annotations

import torch
from torch import Tensor

from mmfct.functional.task_weighting import (
    log_variance_gradient,
    relative_losses,
    task_weights,
    weight_form,
    weighted_losses,
)
from mmfct.instances.parameters import InstanceParameters
from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.registry import MODELS
from mmfct.utils.distributed import global_means


@MODELS.register_module()
class InstanceTaskWeighting(InstanceParameters, TaskWeighting):
    """Weight losses by learned log-variances ``s[i, t] = s_task[t] + d[i, t]``.

    The objective is the sum over tasks of the mean over annotated instances of ``k exp(-a s) l + s / 2``, with k and
    a by the form of the loss (see `mmfct.functional.task_weighting`). With ``instance=False`` it is uncertainty
    weighting (Kendall et al., arXiv 1705.07115), with ``shared=False`` the pure instance form; both is the
    project's formulation of instance-level task parameters (the idea is that of arXiv 2106.06129, whose formulas are
    not public). ``s_task`` is an ordinary parameter of the network's optimiser, ``d`` is the hook's.

    ``d`` settles where the scale of an instance is that of its loss, so that its weight is in inverse proportion to
    the loss. With a ``sharpness`` c the network sees ``exp(-a (s_task + c d))`` instead: weights go with the power -c
    of the loss, and the network minimises a sum of ``-l^(1 - c) / (c - 1)``, which is bounded for c > 1: an instance
    that does not fit loses all of its influence (a redescending estimator; c = 1 is the logarithm).

    With ``relative`` the gradient of ``d`` takes an instance's loss in proportion to that of a prediction that has not
    seen it, see `relative_losses`: hard instances keep their weight, those that do not fit lose it.

    Args:
        forms: Form of each task's loss, ``'gaussian'``, ``'laplace'`` or ``'classification'``, by task name.
        sharpness: How strongly ``d`` acts on the weight.
        relative: Whether ``d`` learns from relative losses. The model must provide the reference, as
            `mmfct.MultiTaskSegmentor` does, from the other instances of a forward pass on all ranks; where gradients
            are accumulated, a smaller batch is another reference.
        shared: Whether ``s_task`` is learned; otherwise it stays 0.
        instance: Whether ``d`` is learned; otherwise it stays 0.

    Raises:
        ValueError: If a form is unknown, neither part is learned, ``sharpness`` is not positive, or in a step rows
            are missing or too many, the reference is missing, or a loss is not finite.
    """

    def __init__(
        self,
        forms: dict[str, str],
        *,
        sharpness: float = 1.0,
        relative: bool = False,
        shared: bool = True,
        instance: bool = True,
    ) -> None:
        if not (shared or instance):
            raise ValueError('`shared` or `instance` must be true; for equal weights use mmfct.EqualWeighting')
        if not sharpness > 0:
            raise ValueError(f'`sharpness` must be above 0, got {sharpness!r}')
        chosen = [weight_form(form) for form in forms.values()]
        super().__init__(
            tuple(forms),
            [form.factor for form in chosen],
            [form.exponent for form in chosen],
            sharpness=sharpness,
            scale_power=2,
            shared=shared,
            instance=instance,
        )
        self.needs_reference = relative and instance

    def forward(self, losses: Tensor, annotated: Tensor, reference: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch.

        Args:
            losses: Losses of shape (B, T).
            annotated: Booleans (B, T): whether the instance has a label of the task.
            reference: Losses (B, T) of predictions that have not seen the instance; needed with ``relative``.

        Returns:
            The objective, a scalar, and the mean weight (T,) of each task's annotated instances of this rank, for the
            log.
        """
        losses = losses.float()  # half precision has too few digits for exp(-s) l
        self.check_finite(losses, annotated)
        # Where nothing is annotated there may be anything; a NaN would reach the gradient of `s_task`.
        losses = losses.masked_fill(~annotated, 0.0)
        log_variance = self.log_variance.expand(losses.shape)
        if self.instance_tasks:
            rows = self.take_rows(len(losses))
            with torch.no_grad():
                observed = self._relative(losses, annotated, reference) if self.needs_reference else losses
                gradient = log_variance_gradient(observed, log_variance + rows, self.factor, self.exponent)
                self.report(gradient, annotated, losses)
            log_variance = log_variance + self.sharpness * rows
        weighted = weighted_losses(losses, log_variance, self.factor, self.exponent)
        weights = task_weights(log_variance.detach(), self.factor, self.exponent)
        # For the log: the mean of this rank, as mmengine logs losses; shares of a global mean add up only over ranks.
        logged = weights.masked_fill(~annotated, 0.0).sum(dim=0) / annotated.sum(dim=0).clamp(min=1)
        return self.means(weighted, annotated).sum(), logged

    def _relative(self, losses: Tensor, annotated: Tensor, reference: Tensor | None) -> Tensor:
        if reference is None:
            raise ValueError(
                '`relative` needs the losses of predictions that have not seen the instance; use it in a '
                'mmfct.MultiTaskSegmentor'
            )
        means, _ = global_means(reference, annotated)
        return relative_losses(losses, reference.float(), means)
