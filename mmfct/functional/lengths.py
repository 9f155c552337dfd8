"""Give upgraded embeddings the lengths of the new ones, where a transformation shrinks them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class LengthFit(NamedTuple):
    """How the lengths (2-norms) of new embeddings follow from those of upgraded ones.

    Attributes:
        scale: Mean new length over mean upgraded length: one factor for all rows.
        slope: Least-squares slope of the new length on the upgraded length.
        intercept: The intercept of it.
    """

    scale: float
    slope: float
    intercept: float

    def scaled(self, rows: Tensor) -> Tensor:
        """Multiply rows of shape (N, D) by the factor."""
        return rows * self.scale

    def calibrated(self, rows: Tensor) -> Tensor:
        """Give each row, of shape (N, D), the length ``slope * length + intercept``, at least 0; zeros stay zeros."""
        lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        wanted = (self.slope * lengths + self.intercept).clamp(min=0)
        return rows * torch.where(lengths > 0, wanted / lengths, 1)


def fit_lengths(upgraded: Tensor, new: Tensor) -> LengthFit:
    """Fit the lengths of embeddings of the same items.

    Args:
        upgraded: Embeddings of shape (N, D).
        new: Embeddings of the same items by the new model, of shape (N, D).

    Raises:
        ValueError: If the shapes differ, there is no row, or all upgraded rows are zero.
    """
    if upgraded.shape != new.shape or not len(upgraded):
        raise ValueError(f'`new` must have the shape of `upgraded` and rows, got {new.shape} and {upgraded.shape}')
    before, after = (torch.linalg.vector_norm(rows.double(), dim=1) for rows in (upgraded, new))
    mean, wanted = before.mean(), after.mean()
    if mean == 0:
        raise ValueError('`upgraded` must have a row other than zero, got zeros')
    away = before - mean
    spread = away.square().sum()
    # Of equal lengths there is no slope; all rows then get the mean length.
    slope = (away @ (after - wanted) / spread).item() if spread > 1e-12 * len(before) * mean**2 else 0.0
    return LengthFit((wanted / mean).item(), slope, (wanted - slope * mean).item())
