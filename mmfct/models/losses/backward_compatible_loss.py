"""The influence loss of backward compatible training."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmfct.models.checkpoint import load_state_dict
from mmfct.registry import MODELS


@MODELS.register_module()
class BackwardCompatibleLoss(nn.Module):
    """Cross-entropy of new embeddings under the frozen old classifier: the baseline BCT (arXiv 2003.11942).

    Added to the new model's own loss, ``CE(w_new phi_new) + weight * CE(w_old phi_new)``, it makes new queries
    comparable with the old gallery, at a cost to the new model that FCT does not have. Images of classes the old
    model was not trained on contribute nothing (its weights for them are untrained).

    Args:
        checkpoint: Checkpoint of the old classifier.
        num_old_classes: The old model was trained on the labels below this number.
        key: Name of the classifier's weight (C, D) in the checkpoint; a bias of the same name is used if present.
        loss_weight: Factor of the loss.

    Raises:
        FileNotFoundError: If the checkpoint is missing.
        ValueError: If it is unreadable or has no such weight, or the embeddings have another width.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        checkpoint: str,
        num_old_classes: int,
        *,
        key: str = 'head.fc.weight',
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        state_dict = load_state_dict(checkpoint)
        if key not in state_dict or state_dict[key].dim() < 2:
            raise ValueError(f'`key` must name a weight (C, D) of checkpoint {checkpoint!r}, got {key!r}')
        weight = state_dict[key].flatten(1)
        bias = state_dict.get(key.removesuffix('weight') + 'bias')
        if not 0 < num_old_classes <= len(weight):
            raise ValueError(f'`num_old_classes` must be from 1 to {len(weight)}, got {num_old_classes!r}')
        self.loss_weight = loss_weight
        self.register_buffer('weight', weight[:num_old_classes].clone(), persistent=False)
        self.register_buffer('bias', None if bias is None else bias[:num_old_classes].clone(), persistent=False)

    def forward(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """Return the loss (B,) of new embeddings (B, D) with labels (B,)."""
        if embedding.shape[1] != self.weight.shape[1]:
            raise ValueError(
                f'the old classifier takes embeddings of width {self.weight.shape[1]}, got {tuple(embedding.shape)}'
            )
        known = labels < len(self.weight)
        logits = F.linear(embedding, self.weight, self.bias)
        losses = F.cross_entropy(logits, torch.where(known, labels, 0), reduction='none')
        return self.loss_weight * torch.where(known, losses, 0.0)
