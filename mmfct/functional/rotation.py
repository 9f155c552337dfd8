"""Rotation matrices from the representations that networks predict."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_from_6d(values: Tensor) -> Tensor:
    """Make a rotation matrix from two vectors, which need not be orthogonal or of length 1.

    The first two columns of the matrix, made orthonormal by Gram and Schmidt, and their cross product: a continuous
    form that networks learn better than angles (Zhou et al., "On the Continuity of Rotation Representations in Neural
    Networks", CVPR 2019).

    Args:
        values: Vectors of shape (..., 6), the first column before the second.

    Returns:
        Rotation matrices of shape (..., 3, 3).
    """
    first, second = values[..., :3], values[..., 3:]
    first = torch.nn.functional.normalize(first, dim=-1)
    second = second - (first * second).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.cross(first, second, dim=-1)], dim=-1)


def rotation_from_vector(vectors: Tensor) -> Tensor:
    """Make rotation matrices from axes times angles, in radians (Rodrigues' formula).

    Args:
        vectors: Rotation vectors of shape (..., 3).

    Returns:
        Rotation matrices of shape (..., 3, 3).
    """
    zero = torch.zeros_like(vectors[..., 0])
    x, y, z = vectors.unbind(-1)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(cross)
