"""Semantic segmentation as one of several tasks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmfct.models.losses.instance_losses import instance_losses
from mmfct.registry import MODELS


@MODELS.register_module()
class SegmentationTask(BaseModule):
    """A decode head of mmseg with the loss it is configured with, taken per instance.

    Args:
        head: Config of any decode head of mmseg with a single ``loss_decode``.
        init_cfg: Initialisation config.

    Raises:
        ValueError: If the head has several losses: they are one task, and an instance has one loss of it.
    """

    form = 'classification'

    def __init__(self, head: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.head = MODELS.build(head)
        if isinstance(self.head.loss_decode, nn.ModuleList):
            raise ValueError(f'`head` must have a single `loss_decode`, got {len(self.head.loss_decode)} of them')

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        """Return scores (B, C, h, w) from the features of the backbone or neck."""
        return self.head(features)

    def losses(self, scores: Tensor, data_samples: Sequence[Any]) -> tuple[Tensor, Tensor]:
        """Return the loss of each instance (B,) from scores (B, C, H, W), and whether it has a label (B,)."""
        ignore = self.head.ignore_index
        unlabelled = torch.full((1, *scores.shape[2:]), ignore, dtype=torch.long, device=scores.device)
        labels = [sample.gt_sem_seg.data if 'gt_sem_seg' in sample else unlabelled for sample in data_samples]
        return instance_losses(self.head.loss_decode, scores, torch.cat(labels), ignore_index=ignore)

    def add_prediction(self, scores: Tensor, data_sample: Any) -> None:
        """Add the most likely class, (1, H, W), to a data sample, from its scores (C, H, W)."""
        data_sample.set_data({'pred_sem_seg': PixelData(data=scores.argmax(dim=0, keepdim=True))})
