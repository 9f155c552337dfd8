"""How far a linear map is from one that keeps distances."""

from __future__ import annotations

import torch
from torch import Tensor


def relaxed_orthogonality(weight: Tensor, *, slack: float, sharpness: float = 10.0) -> Tensor:
    """Penalise a map that is further than ``slack`` from an orthogonal one.

    With ``d = || W W^T - I ||_F`` it is ``sigmoid(sharpness (d - slack)) d``: next to nothing where d is well below
    the slack, d itself well above it. Source: lambda-Orthogonality (arXiv 2509.16664), whose lambda is ``slack`` and
    whose alpha is ``sharpness``.

    Args:
        weight: Square matrix W of shape (D, D).
        slack: Distance that costs nothing.
        sharpness: How suddenly the penalty sets in.

    Returns:
        The penalty, a scalar.

    Raises:
        ValueError: If the matrix is not square.
    """
    if weight.dim() != 2 or weight.shape[0] != weight.shape[1]:
        raise ValueError(f'`weight` must be a square matrix, got shape {tuple(weight.shape)}')
    identity = torch.eye(len(weight), dtype=weight.dtype, device=weight.device)
    distance = torch.linalg.matrix_norm(weight @ weight.T - identity)
    return torch.sigmoid(sharpness * (distance - slack)) * distance
