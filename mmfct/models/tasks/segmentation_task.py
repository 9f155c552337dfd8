"""Semantic segmentation as one of several tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmfct.models.losses.instance_losses import instance_losses
from mmfct.models.tasks.task import Task
from mmfct.registry import MODELS


@MODELS.register_module()
class SegmentationTask(Task):
    """A decode head of mmseg with the loss it is configured with, taken per instance.

    Args:
        head: Config of a decode head of mmseg that returns one map, with a single ``loss_decode`` and no ``sampler``.
        auxiliary_head: Config of a further such head, or of several, as in mmseg's segmentors: in training, its loss
            of the same labels is added, and its ``loss_weight``, usually 0.4, says how much it counts.
        init_cfg: Initialisation config.

    Raises:
        ValueError: If a head has several losses (they are one task, and an instance has one loss of it), chooses
            pixels with a sampler (over the whole batch), or returns something else than a map; or if an auxiliary head
            has other classes than the head.
    """

    label_kind = 'sem_seg'
    form = 'classification'

    def __init__(
        self, head: dict, auxiliary_head: dict | Sequence[dict] | None = None, init_cfg: dict | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.head = MODELS.build(head)
        if isinstance(self.head.loss_decode, nn.ModuleList):
            raise ValueError(f'`head` must have a single `loss_decode`, got {len(self.head.loss_decode)} of them')
        if self.head.sampler is not None:
            raise ValueError(
                f'`head` must have no `sampler`, which chooses pixels over the whole batch, got '
                f'{type(self.head.sampler).__name__}'
            )
        heads = [auxiliary_head] if isinstance(auxiliary_head, dict) else auxiliary_head or ()
        self.auxiliary.extend(SegmentationTask(head) for head in heads)
        numbers = [task.head.num_classes for task in self.auxiliary]
        if set(numbers) - {self.head.num_classes}:
            raise ValueError(
                f'`auxiliary_head` must have the {self.head.num_classes} classes of `head`, got {numbers}'
            )

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores (B, C, h, w) from the features of the backbone or neck."""
        scores = self.head(features)
        if not isinstance(scores, Tensor):
            raise ValueError(
                f'`head` must be one that returns one map of scores, got a {type(scores).__name__} from '
                f'{type(self.head).__name__}'
            )
        return scores

    def targets(self, scores: Tensor, data_samples: Sequence[Any]) -> Tensor:
        """Return labels (B, H, W), the head's ``ignore_index`` where there are none, for scores (B, C, H, W)."""
        unlabelled = torch.full((1, *scores.shape[2:]), self.head.ignore_index, dtype=torch.long, device=scores.device)
        return torch.cat([sample.gt_sem_seg.data if 'gt_sem_seg' in sample else unlabelled for sample in data_samples])

    def has_label(self, data_sample: Any) -> bool:
        """Return whether a data sample has a pixel that is not ignored."""
        return super().has_label(data_sample) and bool((data_sample.gt_sem_seg.data != self.head.ignore_index).any())

    def compare(self, scores: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Return the loss of each instance (B,) from scores (B, C, H, W), and whether it has a label (B,)."""
        return instance_losses(self.head.loss_decode, scores, targets, ignore_index=self.head.ignore_index)

    def merge(self, outputs: Sequence[Tensor]) -> Tensor:
        """Return the scores (C, H, W) of the mean probabilities of several, each (C, H, W)."""
        single = len(outputs[0]) == 1
        probabilities = (scores.float().sigmoid() if single else scores.float().softmax(dim=0) for scores in outputs)
        mean = reduce(torch.add, probabilities) / len(outputs)
        return mean.logit() if single else mean.log()

    def add_prediction(self, scores: Tensor, data_sample: Any) -> None:
        """Add the most likely class, (1, H, W), to a data sample, from its scores (C, H, W)."""
        if len(scores) == 1:  # a head of two classes with `out_channels=1`
            classes = (scores.sigmoid() > self.head.threshold).long()
        else:
            classes = scores.argmax(dim=0, keepdim=True)
        data_sample.set_data({'pred_sem_seg': PixelData(data=classes)})
