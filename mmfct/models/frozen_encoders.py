"""The frozen encoders of a transformation, by role."""

from __future__ import annotations

from collections.abc import Collection

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfct.models.item_encoder import ItemEncoder, build_encoder, check_finite
from mmfct.registry import MODELS


@MODELS.register_module()
class FrozenEncoders(BaseModule):
    """Compute the embeddings of every role from the same view of an image, as FCT does (arXiv 2112.02805).

    Args:
        old: Config of the `FrozenEncoder` of the old model.
        new: Config of the `FrozenEncoder` of the new model, or ``None`` if no new embeddings are needed.
        side: Config of a `FrozenEncoder` for the side-information; or ``dict(neck=..., checkpoint=...)`` with
            ``shares='old'`` for a neck on the old model's own backbone, which then runs once for both; or ``None``
            for none.

    Raises:
        ValueError: If ``side`` shares an encoder other than ``'old'``, or was trained on another old model.
        FileNotFoundError: If a checkpoint is missing.
    """

    def __init__(self, old: dict, new: dict | None = None, side: dict | None = None) -> None:
        super().__init__()
        self.items = ItemEncoder.build(old, side, name='old')
        # Names and order of these modules are part of the fingerprint of an embedding table.
        self.encoders = nn.ModuleDict(dict(old=self.items.encoder))
        if self.items.side is not None:
            self.encoders['side'] = self.items.side
        if new is not None:
            self.encoders['new'] = build_encoder(new)
        self.requires_grad_(False).eval()

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that are computed, in storage order."""
        return tuple(self.encoders)

    def train(self, mode: bool = True) -> FrozenEncoders:
        """Stay in evaluation mode whatever ``mode`` asks for."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor, roles: Collection[str] | None = None) -> dict[str, Tensor]:
        """Return an embedding (B, D) per role for raw images (B, 3, H, W).

        Args:
            images: Raw images.
            roles: Roles to compute; ``None`` for all, where a shared backbone runs once.

        Raises:
            ValueError: If an encoder returns NaN or infinite values.
        """
        if roles is not None:
            embeddings = {role: self.encoders[role](images) for role in self.roles if role in roles}
            for role, embedding in embeddings.items():
                check_finite(embedding, role)
            return embeddings
        old, side = self.items(images)
        embeddings = dict(old=old) if side is None else dict(old=old, side=side)
        if 'new' in self.encoders:
            embeddings['new'] = self.encoders['new'](images)
            check_finite(embeddings['new'], 'new')
        return embeddings
