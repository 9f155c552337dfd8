"""A classification head with the influence loss of backward compatible training (BCT)."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmfct.registry import MODELS


@MODELS.register_module()
class BackwardCompatibleHead(BaseModule):
    """Train a new model whose embeddings the old classifier recognises: BCT (arXiv 2003.11942, equation 2).

    Args:
        head: Config of a classification head of mmpretrain, which is trained normally.
        influence: Config of a `BackwardCompatibleLoss`, which gets the input of the head's classifier.
        init_cfg: Initialisation config.

    Raises:
        FileNotFoundError: See `BackwardCompatibleLoss`.
        ValueError: See there.
    """

    def __init__(self, head: dict, influence: dict, init_cfg: dict | None = None) -> None:
        super().__init__(init_cfg)
        self.head = MODELS.build(head)
        self.influence = MODELS.build({'type': 'mmfct.BackwardCompatibleLoss', **influence})

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the scores (B, C) of the new classifier."""
        return self.head(feats)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list, **kwargs) -> dict[str, Tensor]:
        """Return the losses of the head and ``loss_influence``, a mean over the batch.

        Raises:
            ValueError: If a sample has soft labels.
        """
        if any('gt_score' in sample for sample in data_samples):
            raise ValueError(
                'the influence loss needs images of one class each, got soft labels as mixed images have: remove '
                '`train_cfg.augments` (CutMix, Mixup) of the classifier'
            )
        losses = self.head.loss(feats, data_samples, **kwargs)
        labels = torch.cat([sample.gt_label for sample in data_samples])
        losses['loss_influence'] = self.influence(self.head.pre_logits(feats), labels).mean()
        return losses

    def predict(self, feats: tuple[Tensor, ...], data_samples: list | None = None) -> list:
        """Return the predictions of the head."""
        return self.head.predict(feats, data_samples)
