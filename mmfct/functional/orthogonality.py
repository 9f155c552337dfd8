"""Penalty of linear maps that do not preserve distances."""

from __future__ import annotations

import torch
from torch import Tensor


def relaxed_orthogonality(weight: Tensor, *, slack: float, sharpness: float = 10.0) -> Tensor:
    """Penalise a map that is further than ``slack`` from an orthogonal one.

    With ``d = || W W^T - I ||_F`` it is ``sigmoid(sharpness (d - slack)) d``: close to 0 if d is well below the slack,
    close to d if it is well above. Source: lambda-Orthogonality (arXiv 2509.16664), whose lambda is ``slack`` and
    whose alpha is ``sharpness``.

    Args:
        weight: Square matrix W of shape (D, D).
        slack: Distance from orthogonality that is tolerated.
        sharpness: Steepness of the transition at ``slack``.

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
