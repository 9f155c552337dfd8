"""What a gallery stores of an image: its embedding and, if there is any, its side-information."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmfct.models.frozen_encoder import FrozenEncoder
from mmfct.models.joined_encoder import JoinedEncoder
from mmfct.registry import MODELS

Encoder = FrozenEncoder | JoinedEncoder


class ItemVectors(NamedTuple):
    """Vectors of a batch of items.

    Attributes:
        embedding: Embeddings of shape (B, D).
        side_info: Side-information of shape (B, S), or ``None``.
    """

    embedding: Tensor
    side_info: Tensor | None


@dataclass(frozen=True)
class ItemEncoder:
    """An encoder of embeddings and, beside it, one of side-information.

    Args:
        encoder: Encoder of the embedding.
        side: Encoder of the side-information, or ``None``.
        shared: Whether ``side`` is a neck on the backbone of ``encoder``, which then runs once for both.
        name: What error messages call ``encoder``.
    """

    encoder: Encoder
    side: Encoder | None = None
    shared: bool = False
    name: str = 'embedding'

    @classmethod
    def build(cls, encoder: dict, side: dict | None = None, *, name: str = 'embedding') -> ItemEncoder:
        """Build both from their configs.

        Args:
            encoder: Config of a `FrozenEncoder`, or of a `JoinedEncoder`.
            side: Likewise; or ``dict(shares='old', neck=..., checkpoint=...)`` for a neck on the backbone of
                ``encoder``; or ``None``.
            name: What error messages call ``encoder``.

        Raises:
            FileNotFoundError: If a checkpoint is missing.
            ValueError: If ``side`` shares another encoder than ``'old'``, or was trained beside another one.
        """
        built = build_encoder(encoder)
        if side is None:
            return cls(built, name=name)
        if 'shares' not in side:
            return cls(built, build_encoder(side), name=name)
        side = {**encoder, **side}
        if (role := side.pop('shares')) != 'old':
            raise ValueError(
                f"`side['shares']` must be 'old', the only encoder that is older than the side, got {role!r}"
            )
        neck = build_encoder(side)
        _check_same_backbone(built, neck)
        return cls(built, neck, shared=True, name=name)

    def to(self, device: torch.device | str) -> ItemEncoder:
        """Move both to a device."""
        self.encoder.to(device)
        if self.side is not None:
            self.side.to(device)
        return self

    @torch.no_grad()
    def __call__(self, images: Tensor) -> ItemVectors:
        """Return the vectors of raw images (B, 3, H, W).

        Raises:
            ValueError: If an encoder returns NaN or infinite values.
        """
        encoder, side = self.encoder, self.side
        side_info = None
        if self.shared and isinstance(encoder, FrozenEncoder) and isinstance(side, FrozenEncoder):
            features = encoder.features(images)
            embedding, side_info = encoder.embed(features), side.embed(features)
        else:
            embedding = encoder(images)
            if side is not None:
                side_info = side(images)
        check_finite(embedding, self.name)
        if side_info is not None:
            check_finite(side_info, 'side')
        return ItemVectors(embedding, side_info)


def build_encoder(config: dict) -> Encoder:
    """Build an encoder, a `FrozenEncoder` unless its config names another type."""
    return MODELS.build({'type': 'mmfct.FrozenEncoder', **config})


def check_finite(vectors: Tensor, name: str) -> None:
    """Raise a ``ValueError`` if vectors (B, D) of the encoder called ``name`` have NaN or infinite values."""
    bad = int((~torch.isfinite(vectors)).any(dim=1).sum())
    if bad:
        raise ValueError(f'the {name} encoder returned NaN or infinite values for {bad} of {len(vectors)} images')


def _check_same_backbone(encoder: Any, side: Any) -> None:
    """Refuse a neck that was trained on the features of another backbone than the one it will see."""
    ours, theirs = encoder.backbone.state_dict(), side.backbone.state_dict()
    differing = [name for name in ours if name not in theirs or not torch.equal(ours[name], theirs[name])]
    if differing:
        raise ValueError(
            f'the side-information neck was trained beside another old model: {len(differing)} weights of its '
            f'backbone differ, such as {differing[0]!r}; train it again on this old model'
        )
