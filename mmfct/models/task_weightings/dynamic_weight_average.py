"""Weights by how fast each task's loss falls."""

from __future__ import annotations

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.registry import MODELS
from mmfct.utils.distributed import task_means


@MODELS.register_module()
class DynamicWeightAverage(TaskWeighting):
    """DWA: a task whose loss falls more slowly than the others' weighs more.

    Liu, Johns and Davison, "End-to-End Multi-Task Learning with Attention", CVPR 2019 (arXiv 1803.10704), section 3.3:
    the weights of epoch e are ``T * softmax(r / temperature)`` with the rates ``r = L(e - 1) / L(e - 2)``, L being the
    mean loss over all annotated instances of an epoch. They are 1 in the first two epochs; the rate is 1 for a task
    that has no mean in one of the two. `mmfct.MultiTaskSegmentor` passes on the epoch of mmengine's Runner; where
    training is iteration-based, `mmfct.DataEpochHook` says how often all data were seen.

    Args:
        forms: Form of each task's loss by task name; only the number of tasks matters here.
        temperature: The larger, the more equal the weights.

    Attributes:
        epoch: The epoch whose losses are being added, -1 before the first.
        sums: Sums of its losses and numbers of annotated instances, float64 of shape (2, T).
        history: Mean losses of the epoch before, and of that before it, float64 of shape (2, T); 0 where unknown.

    Raises:
        ValueError: If ``temperature`` is not above 0, or in a training step the epoch was never set.
    """

    epoch: Tensor
    sums: Tensor
    history: Tensor

    def __init__(self, forms: dict[str, str], *, temperature: float = 2.0) -> None:
        super().__init__()
        if not temperature > 0:
            raise ValueError(f'`temperature` must be above 0, got {temperature!r}')
        self.tasks = tuple(forms)
        self.temperature = temperature
        self._epoch: int | None = None
        self.register_buffer('epoch', torch.tensor(-1))
        self.register_buffer('sums', torch.zeros(2, len(self.tasks), dtype=torch.float64))
        self.register_buffer('history', torch.zeros(2, len(self.tasks), dtype=torch.float64))

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch the next training step belongs to, counted from 0."""
        self._epoch = epoch

    def forward(self, losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
        """Combine the losses of a batch; see `TaskWeighting`."""
        if self.training:
            if self._epoch is None:
                raise ValueError(
                    'the epoch must be known for dynamic weight average, got none; train with a Runner of mmengine, '
                    'or call `set_epoch`'
                )
            self._enter_epoch(self._epoch)
            self._add(losses.detach(), annotated)
        weights = self._weights().to(losses.dtype)
        return (weights * task_means(losses, annotated)).sum(), weights

    def _weights(self) -> Tensor:
        """Return the weights of the current epoch, float64 of shape (T,)."""
        newer, older = self.history
        rates = torch.where((newer > 0) & (older > 0), newer / older, torch.ones_like(newer))
        return len(self.tasks) * (rates / self.temperature).softmax(dim=0)

    def _enter_epoch(self, epoch: int) -> None:
        """Close the epoch before, if this one is new."""
        if epoch == self.epoch:
            return
        if epoch < self.epoch:  # these are weights to start another training from
            self.history.zero_()
            self.sums.zero_()
        losses, counts = self.sums
        self.history.copy_(torch.stack([losses / counts.clamp(min=1), self.history[0]]))
        self.sums.zero_()
        self.epoch.fill_(epoch)

    def _add(self, losses: Tensor, annotated: Tensor) -> None:
        """Add losses (B, T) of all ranks; now and not at the end, since a checkpoint has the state of one rank."""
        added = torch.stack([torch.where(annotated, losses, 0.0).double().sum(dim=0), annotated.sum(dim=0).double()])
        all_reduce(added, op='sum')
        self.sums += added
