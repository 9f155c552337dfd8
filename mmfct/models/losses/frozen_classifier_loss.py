"""Cross-entropy of embeddings under a frozen classifier."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_state_dict

# Where mmpretrain's linear classifier has its weight.
CLASSIFIER = 'head.fc.weight'


@MODELS.register_module()
class FrozenClassifierLoss(nn.Module):
    """Cross-entropy of embeddings under the frozen classifier of another model.

    With the classifier of the *new* model it is the discriminative term of FastFill (arXiv 2303.04766, section 3.1):
    an upgraded embedding should lie in the region of its class, not only near its own target. The paper's label
    smoothing is 0.1.

    Args:
        checkpoint: Checkpoint of the classifier.
        num_classes: The classifier was trained on the labels from 0 to below this number, others contribute nothing
            (its weights for them are untrained); ``None`` for all of its outputs.
        key: Name of the classifier's weight (C, D) in the checkpoint; a bias of the same name is used if present.
        label_smoothing: Label smoothing, from 0 to 1.
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
        *,
        num_classes: int | None = None,
        key: str = CLASSIFIER,
        label_smoothing: float = 0.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        state_dict = load_state_dict(checkpoint)
        if key not in state_dict or state_dict[key].dim() < 2:
            raise ValueError(f'`key` must name a weight (C, D) of checkpoint {checkpoint!r}, got {key!r}')
        weight = state_dict[key].flatten(1)
        bias = state_dict.get(key.removesuffix('weight') + 'bias')
        num_classes = len(weight) if num_classes is None else num_classes
        if not 0 < num_classes <= len(weight):
            raise ValueError(f'`num_classes` must be from 1 to {len(weight)}, got {num_classes!r}')
        self.label_smoothing = label_smoothing
        self.loss_weight = loss_weight
        # Not part of the state dict: the weights are another model's, and its checkpoint has them.
        self.register_buffer('weight', weight[:num_classes].clone(), persistent=False)
        self.register_buffer('bias', None if bias is None else bias[:num_classes].clone(), persistent=False)

    def forward(self, embedding: Tensor, labels: Tensor) -> Tensor:
        """Return the loss (B,) of embeddings (B, D) with labels (B,)."""
        if embedding.shape[1] != self.weight.shape[1]:
            raise ValueError(
                f'the classifier takes embeddings of width {self.weight.shape[1]}, got {tuple(embedding.shape)}'
            )
        known = (labels >= 0) & (labels < len(self.weight))
        logits = F.linear(embedding, self.weight, self.bias)
        losses = F.cross_entropy(
            logits, torch.where(known, labels, 0), reduction='none', label_smoothing=self.label_smoothing
        )
        return self.loss_weight * torch.where(known, losses, 0.0)
