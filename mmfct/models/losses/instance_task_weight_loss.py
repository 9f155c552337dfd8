"""A loss of a stock model, weighted per training instance."""

from __future__ import annotations

from torch import Tensor, nn

from mmfct.models.losses.instance_losses import instance_losses
from mmfct.models.losses.wrapped_loss import WrappedLoss
from mmfct.models.task_weightings import AgreementWeighting, InstanceTaskWeighting
from mmfct.registry import MODELS


@MODELS.register_module()
class InstanceTaskWeightLoss(WrappedLoss):
    """Wrap a host's loss so that each training instance gets a learned weight.

    In mmseg it is a ``loss_decode``, in mmpretrain the ``loss`` of a head::

        loss_decode = dict(type='mmfct.InstanceTaskWeightLoss', task='seg', loss=dict(type='CrossEntropyLoss'))
        custom_hooks = [dict(type='mmfct.InstanceTaskWeightHook')]

    Args:
        task: Name of the task, unique in the model (an auxiliary head has a task of its own, such as ``'seg_aux'``);
            under mmpretrain's ``MultiTaskHead`` the name of the sub-head.
        loss: Config of the host's loss, or a module.
        form: Form of the loss, see `mmfct.AgreementWeighting`.
        gradient: Learn log-variances of the instances by gradient descent (`mmfct.InstanceTaskWeighting`) instead of
            weighting by agreement (`mmfct.AgreementWeighting`).
        others: See `mmfct.AgreementWeighting`.
        shared: Whether a log-variance of the whole task is learned beside the weights of the instances; it makes up
            for the scale of the loss, so that a ``loss_weight`` has no effect. ``None`` for: not with weights by
            agreement, where the host's loss keeps its scale.
        instance: Whether instances have weights of their own. Without them no hook is needed, and the mean is over the
            instances of the rank, as the host's own losses take it.

    Raises:
        ValueError: In a step, if the host's loss has no values per instance, or another reduction than ``'none'`` is
            asked for; and see the two weightings.
    """

    def __init__(
        self,
        task: str,
        loss: dict | nn.Module,
        form: str = 'classification',
        *,
        gradient: bool = False,
        others: int = 7,
        shared: bool | None = None,
        instance: bool = True,
    ) -> None:
        super().__init__()
        self.loss = loss if isinstance(loss, nn.Module) else MODELS.build(loss)
        self.weighting: AgreementWeighting | InstanceTaskWeighting
        if gradient or not instance:
            self.weighting = InstanceTaskWeighting({task: form}, shared=shared is not False, instance=instance)
        else:
            self.weighting = AgreementWeighting({task: form}, others=others, shared=bool(shared))

    def objective(
        self, scores: Tensor, target: Tensor, weight: Tensor | None, ignore_index: int | None, *, summed: bool
    ) -> Tensor:
        """Return the weighted loss of a batch, a scalar; see `WrappedLoss`."""
        losses, annotated = instance_losses(self.loss, scores, target, weight, ignore_index, summed=summed)
        if not self.weighting.instance_tasks:
            # No all-reduce: mmpretrain skips a sub-head on ranks where no image of the batch has its task.
            self.weighting.set_instances(losses.new_zeros(len(losses), 0), (), annotated.sum())
        comparisons = [self.comparison(scores, target, ignore_index)] if self.weighting.needs_comparisons else None
        objective, _ = self.weighting(losses[:, None], annotated[:, None], comparisons)
        return objective
