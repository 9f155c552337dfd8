"""A classification loss with a learned temperature per training instance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmfct.instances.parameters import InstanceParameters
from mmfct.models.losses.instance_losses import instance_losses
from mmfct.models.losses.wrapped_loss import WrappedLoss
from mmfct.registry import MODELS


@MODELS.register_module()
class DataParameterLoss(WrappedLoss, InstanceParameters):
    """Divide the scores of each training instance by a learned temperature: Data Parameters (NeurIPS 2019).

    ``loss(scores / sigma[i], label)`` with ``sigma[i] = exp(d[i])`` and no log term: a wrongly labelled instance
    raises its temperature, which weakens its gradient. Published rates belong to the gradient of the batch *mean*;
    the gradient that `mmfct.InstanceTaskWeightHook` gets is the instance's own, so its rate is the published one
    divided by the batch size.

    Args:
        task: Name of the task, as in `mmfct.InstanceTaskWeightLoss`.
        loss: Config of the host's loss of scores and labels, or a module.

    Raises:
        ValueError: In a step, if the host's loss has no values per instance, another reduction than ``'none'`` is
            asked for, the rows are not those of the batch, or a loss is not finite.
    """

    def __init__(self, task: str, loss: dict | nn.Module) -> None:
        super().__init__({task: 'classification'}, scale_power=1, shared=False, instance=True)
        self.loss = loss if isinstance(loss, nn.Module) else MODELS.build(loss)

    def objective(
        self, scores: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int | None, *, summed: bool
    ) -> Tensor:
        """Return the mean loss of a batch, a scalar; see `WrappedLoss`."""
        scores = scores.float()
        self.offer_comparisons([self.comparison(scores, target, ignore_index)] if self.needs_comparisons else None)
        log_scale = self.take_rows(len(scores))[:, 0].view(-1, *[1] * (scores.dim() - 1))
        with torch.enable_grad():
            # A pass from detached scores: the gradient of each instance alone, not of the mean, unscaled. The one
            # below trains, and a loss that counts counts there.
            leaf = log_scale.detach().requires_grad_()
            cooled, rest = scores.detach() * torch.exp(-leaf), (target, weight, ignore_index)
            own, _ = instance_losses(self.loss, cooled, *rest, summed=summed, keep_buffers=True)
            (gradient,) = torch.autograd.grad(own.sum(), leaf)
        losses, annotated = instance_losses(self.loss, scores * torch.exp(-log_scale), *rest, summed=summed)
        losses, annotated = losses[:, None], annotated[:, None]
        self.check_finite(losses, annotated)
        self.report(gradient.view(-1, 1), annotated, losses)
        return self.means(losses, annotated).sum()
