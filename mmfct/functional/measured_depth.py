"""Which values of a depth map are measurements."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

_LARGEST = 65535  # of a file of 16 bits
_Map = TypeVar('_Map', Tensor, np.ndarray)


def measured_depth(depth: Tensor, *, signed: bool = False, rescale: float = 1.0) -> Tensor:
    """Return where a map of depth, inverse depth or disparity has a measurement: booleans of its shape.

    A measurement is finite and above 0. The largest number of a 16-bit file stands for everything that is larger, and
    for no measurement in the files of many programs, so it is none.

    Args:
        depth: The map, of any shape.
        signed: Whether depth is relative to a point: then 0 and numbers below it are measurements too.
        rescale: What the numbers of the file were multiplied by, ``depth_rescale_factor`` of mmseg's
            ``LoadDepthAnnotation``.
    """
    measured = torch.isfinite(depth) & ~is_largest(depth, rescale)
    return measured if signed else measured & (depth > 0)


def is_largest(depth: _Map, rescale: float = 1.0) -> _Map:
    """Return where a map has the largest number of a 16-bit file; arguments as for :func:`measured_depth`."""
    largest = _LARGEST * rescale
    return abs(depth - largest) <= 1e-6 * largest  # the next number is 15 times as far
