"""An encoder with random weights, whose values do not affect the time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from mmfct.registry import MODELS


def random_encoder(folder: str | Path, depth: int = 50) -> dict[str, Any]:
    """Save a ResNet with 128-wide embeddings, and return the config of its `FrozenEncoder`.

    Args:
        folder: Existing folder for the checkpoint.
        depth: Depth of the ResNet.
    """
    backbone = dict(type='mmfct.EmbeddingResNet', depth=depth, embedding_dims=128)
    checkpoint = Path(folder, f'resnet{depth}.pth')
    weights = MODELS.build(backbone).state_dict()
    torch.save({f'backbone.{name}': value for name, value in weights.items()}, checkpoint)
    return dict(type='mmfct.FrozenEncoder', backbone=backbone, checkpoint=str(checkpoint))
