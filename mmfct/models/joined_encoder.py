"""Several encoders as one, which concatenates their embeddings."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfct.registry import MODELS


@MODELS.register_module()
class JoinedEncoder(BaseModule):
    """Concatenate the embeddings of several encoders: side-information from more than one source.

    Args:
        encoders: Configs of `FrozenEncoder`.

    Raises:
        ValueError: If there is none.
        FileNotFoundError: If a checkpoint is missing.
    """

    def __init__(self, encoders: Sequence[dict]) -> None:
        super().__init__()
        if not encoders:
            raise ValueError(f'`encoders` must have at least one config, got {encoders!r}')
        self.encoders = nn.ModuleList(MODELS.build({'type': 'mmfct.FrozenEncoder', **cfg}) for cfg in encoders)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> JoinedEncoder:
        """Stay in evaluation mode whatever ``mode`` asks for."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return embeddings (B, sum of the widths) of raw images (B, 3, H, W)."""
        return torch.cat([encoder(images) for encoder in self.encoders], dim=1)
