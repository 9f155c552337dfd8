"""Distances between predicted and true points of a body."""

from __future__ import annotations

import torch
from torch import Tensor


def point_errors(predicted: Tensor, true: Tensor) -> Tensor:
    """Return the mean Euclidean distance between points (B, N, 3) and their targets, in their unit, (B,)."""
    return (predicted - true).norm(dim=-1).mean(dim=-1)


def align_similarity(points: Tensor, targets: Tensor) -> Tensor:
    """Fit points to targets by a rotation, a scale and a translation: Procrustes' problem without reflections.

    The least squares solution of Umeyama ("Least-squares estimation of transformation parameters between two point
    patterns", IEEE TPAMI 13(4), 1991).

    Args:
        points: Points of shape (B, N, 3).
        targets: Points of the same shape.

    Returns:
        The aligned points (B, N, 3). If all points coincide, they are moved to the mean of the targets.
    """
    center, target_center = points.mean(dim=1, keepdim=True), targets.mean(dim=1, keepdim=True)
    centered = points - center
    u, singular, v = torch.linalg.svd(centered.mT @ (targets - target_center))
    # Flip the last axis if the solution is a reflection.
    sign = torch.ones_like(singular)
    sign[:, -1] = (torch.linalg.det(u) * torch.linalg.det(v)).sign()
    rotation = (u * sign[:, None]) @ v
    spread = centered.square().sum(dim=(1, 2))
    scale = (singular * sign).sum(dim=1) / spread.clamp(min=torch.finfo(points.dtype).tiny)
    return scale[:, None, None] * centered @ rotation + target_center
