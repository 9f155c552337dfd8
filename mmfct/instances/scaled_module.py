"""Modules with a learned scale per task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmfct.functional.task_weighting import starting_log_variance, task_weights, weight_form
from mmfct.instances.module import InstanceModule
from mmfct.utils.distributed import global_means


class ScaledInstanceModule(InstanceModule):
    """Base of modules that weight the losses of each task by a log-variance ``s_task``, besides those of instances.

    Args:
        forms: Form of each task's loss by task name, see `mmfct.functional.task_weighting`.
        shared: Whether ``s_task`` is learned; otherwise it stays 0.
        instance: Whether rows are used at all.

    Attributes:
        factor: k of each task, of shape (T,); its weight is ``k exp(-a s_task)``.
        exponent: a of each task, (T,).
        log_variance: The parameter ``s_task`` of shape (T,), trained by the network's optimiser.

    Raises:
        ValueError: If a form is unknown.
    """

    factor: Tensor
    exponent: Tensor

    def __init__(self, forms: Mapping[str, str], *, shared: bool, instance: bool = True) -> None:
        super().__init__(tuple(forms), instance=instance)
        chosen = [weight_form(form) for form in forms.values()]
        self.register_buffer('factor', torch.tensor([form.factor for form in chosen]), persistent=False)
        self.register_buffer('exponent', torch.tensor([form.exponent for form in chosen]), persistent=False)
        self.log_variance = nn.Parameter(torch.zeros(len(self.tasks)), requires_grad=shared)
        self._starts_later = False

    def task_weights(self) -> Tensor:
        """Return the weights ``k exp(-a s_task)`` of the tasks, (T,)."""
        return task_weights(self.log_variance.detach(), self.factor, self.exponent)

    def set_instances(self, rows: Tensor, names: Sequence[str], count: Tensor | None = None) -> None:
        """See `InstanceModule.set_instances`; notes whether the scales must start after the step.

        Every rank is here, with the same count: a rank that has no instance for this module in its first step must
        start it with the others, or their parameters would differ from then on.
        """
        super().set_instances(rows, names, count)
        if count is not None and self.instance_tasks and count > 0 and self._may_start():
            self._starts_later = True

    def start_scales(self, losses: Tensor, annotated: Tensor) -> None:
        """Put every ``s_task`` that was never trained where the losses (B, T) of its first batch are at home.

        So a task's unit does not matter: from 0, an optimiser would need thousands of steps to a loss in millimetres.
        Where ranks may not all run this module, they cannot agree here: the store starts it after the first step, with
        the losses of all ranks. Without a store, several such ranks begin at 0.
        """
        if not self._may_start():
            return
        if self._count is None:
            means, known = global_means(losses.detach(), annotated)
            self._start(means, known)
        elif not self.instance_tasks and get_world_size() == 1:
            self._start(self.means(losses.detach(), annotated), annotated.any(dim=0))

    def start_late(self, losses: Tensor, annotated: Tensor) -> None:
        """Start the scales after the first step, from losses (N, T) of all ranks, if the forward pass could not."""
        if self._starts_later:
            self._starts_later = False
            counts = annotated.sum(dim=0)
            self._start(losses.masked_fill(~annotated, 0.0).sum(dim=0) / counts.clamp(min=1), counts > 0, anew=True)

    def _may_start(self) -> bool:
        fresh = bool((self.log_variance.detach() == 0).any())
        return self.training and self.log_variance.requires_grad and fresh

    def _start(self, means: Tensor, known: Tensor, *, anew: bool = False) -> None:
        start = starting_log_variance(means, self.factor, self.exponent)
        with torch.no_grad():
            fresh = (self.log_variance == 0) | anew
            self.log_variance.copy_(torch.where(fresh & known & (means > 0), start, self.log_variance))
