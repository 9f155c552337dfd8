"""The frozen encoders of an upgrade, by role."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmfct.registry import MODELS


@MODELS.register_module()
class FrozenEncoders(BaseModule):
    """Compute the embeddings of every role from the same view of an image, as FCT does (arXiv 2112.02805).

    Args:
        old: Config of the `FrozenEncoder` of the old model.
        new: Config of the `FrozenEncoder` of the new model, or ``None`` where only stored items are upgraded.
        side: Config of a `FrozenEncoder` for the side-information; or ``dict(neck=..., checkpoint=...)`` with
            ``shares='old'`` for a neck on the old model's own backbone, which then runs once for both; or ``None``
            for none.

    Raises:
        ValueError: If ``side`` shares an encoder other than ``'old'``, or was trained on another old model.
        FileNotFoundError: If a checkpoint is missing.
    """

    def __init__(self, old: dict, new: dict | None = None, side: dict | None = None) -> None:
        super().__init__()
        self.encoders: Any = nn.ModuleDict({'old': _build(old)})
        self.shared_side = side is not None and 'shares' in side
        if side is not None:
            if self.shared_side:
                side = {**old, **side}
                if (role := side.pop('shares')) != 'old':
                    raise ValueError(
                        f"`side['shares']` must be 'old', the only encoder that is older than the side, got {role!r}"
                    )
            self.encoders['side'] = _build(side)
            if self.shared_side:
                _check_same_backbone(self.encoders['old'], self.encoders['side'])
        if new is not None:
            self.encoders['new'] = _build(new)
        self.requires_grad_(False).eval()

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that are computed, in storage order."""
        return tuple(self.encoders)

    def train(self, mode: bool = True) -> FrozenEncoders:
        """Stay in evaluation mode whatever ``mode`` asks for."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return an embedding (B, D) per role for raw images (B, 3, H, W).

        Raises:
            ValueError: If an encoder returns NaN or infinite values.
        """
        embeddings = {}
        old_features = self.encoders['old'].features(images)
        for role, encoder in self.encoders.items():
            shares_features = role == 'old' or (role == 'side' and self.shared_side)
            embedding = encoder.embed(old_features) if shares_features else encoder(images)
            bad = int((~torch.isfinite(embedding)).any(dim=1).sum())
            if bad:
                raise ValueError(
                    f'the {role} encoder returned NaN or infinite values for {bad} of {len(images)} images'
                )
            embeddings[role] = embedding
        return embeddings


def _build(encoder: dict) -> nn.Module:
    return MODELS.build({'type': 'mmfct.FrozenEncoder', **encoder})


def _check_same_backbone(old: Any, side: Any) -> None:
    """Refuse a neck that was trained on the features of another backbone than the one it will see."""
    ours, theirs = old.backbone.state_dict(), side.backbone.state_dict()
    differing = [name for name in ours if name not in theirs or not torch.equal(ours[name], theirs[name])]
    if differing:
        raise ValueError(
            f'the side-information neck was trained beside another old model: {len(differing)} weights of its '
            f'backbone differ, such as {differing[0]!r}; train it again on this old model'
        )
