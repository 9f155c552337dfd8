"""Undo what transforms have done to an image, on maps (..., H, W) that were predicted for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

# Dimensions of maps (..., H, W) that the hosts' RandomFlip turns round.
_FLIPPED = dict(horizontal=(-1,), vertical=(-2,), diagonal=(-2, -1))


def flipped_back(maps: Tensor, meta: Mapping[str, Any]) -> Tensor:
    """Return maps (..., H, W) of an image that a transform has flipped as those of the image before."""
    return maps.flip(_FLIPPED[meta['flip_direction']]) if meta.get('flip') else maps


def without_padding(maps: Tensor, meta: Mapping[str, Any]) -> Tensor:
    """Return the part of maps (..., H, W) that is not padding, by the meta information of a data sample."""
    left, right, top, bottom = meta.get('img_padding_size', meta.get('padding_size', (0, 0, 0, 0)))
    return maps[..., top : maps.shape[-2] - bottom, left : maps.shape[-1] - right]
