"""Give upgraded embeddings the lengths, or the spread around their mean, of the new ones.

A transformation that was fitted by least squares pulls embeddings towards their mean. Among new embeddings, which are
not, its results are then too near to every query, or too short.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class LengthFit(NamedTuple):
    """A length for each upgraded embedding.

    Attributes:
        slope: Slope of the new length as a function of the upgraded one.
        intercept: Its intercept; 0 for one factor.
    """

    slope: float
    intercept: float

    def __call__(self, rows: Tensor) -> Tensor:
        """Give each row, of shape (N, D), the length ``slope * length + intercept``, at least 0; zeros stay zeros."""
        lengths = torch.linalg.vector_norm(rows, dim=1, keepdim=True)
        wanted = (self.slope * lengths + self.intercept).clamp(min=0)
        return rows * torch.where(lengths > 0, wanted / lengths, 1)


class SpreadFit(NamedTuple):
    """A factor for the distance of each upgraded embedding to their mean, which becomes that of the new ones.

    Attributes:
        factor: Root mean square distance of new embeddings to their mean over that of upgraded ones.
        offset: Shape (D,), float64: mean new embedding minus ``factor`` times the mean upgraded one.
    """

    factor: float
    offset: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """Return ``factor * rows + offset``, of shape (N, D)."""
        return self.factor * rows + self.offset.to(rows)


def fit_scale(upgraded: Tensor, new: Tensor) -> LengthFit:
    """Fit one factor: mean new length over mean upgraded length.

    Args:
        upgraded: Embeddings of shape (N, D).
        new: Embeddings of the same items by the new model, of shape (N, D).

    Raises:
        ValueError: If the shapes differ, there is no row, or all upgraded rows are equal.
    """
    before, after = _check(upgraded, new)
    return LengthFit((_lengths(after).mean() / _lengths(before).mean()).item(), 0.0)


def fit_lengths(upgraded: Tensor, new: Tensor) -> LengthFit:
    """Fit a line by least squares through lengths of the same items; arguments and errors are as in `fit_scale`."""
    before, after = map(_lengths, _check(upgraded, new))
    mean, wanted = before.mean(), after.mean()
    away = before - mean
    spread = away.square().sum()
    # Of equal lengths there is no slope; all rows then get the mean length.
    slope = (away @ (after - wanted) / spread).item() if spread > 1e-12 * len(before) * mean**2 else 0.0
    return LengthFit(slope, (wanted - slope * mean).item())


def fit_spread(upgraded: Tensor, new: Tensor) -> SpreadFit:
    """Fit the spread around the mean; arguments and errors are as in `fit_scale`."""
    before, after = _check(upgraded, new)
    factor = ((after - after.mean(dim=0)).norm() / (before - before.mean(dim=0)).norm()).item()
    return SpreadFit(factor, after.mean(dim=0) - factor * before.mean(dim=0))


def _check(upgraded: Tensor, new: Tensor) -> tuple[Tensor, Tensor]:
    if upgraded.shape != new.shape or upgraded.dim() != 2 or not len(upgraded):
        raise ValueError(
            f'`new` must have the shape of `upgraded`, with rows, got {tuple(new.shape)} and {tuple(upgraded.shape)}'
        )
    if bool((upgraded == upgraded[:1]).all()):
        raise ValueError('`upgraded` must have rows that differ, got equal ones')
    return upgraded.double(), new.double()


def _lengths(rows: Tensor) -> Tensor:
    return torch.linalg.vector_norm(rows, dim=1)
