"""Bring the distances of two spaces to one scale, by items that are in both."""

from __future__ import annotations

import torch
from torch import Tensor

_NEARER = 0.5  # share of the sample, the nearest: what is far away does not matter to neighbours


@torch.no_grad()
def match_distances(given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Return the scale and the shift that give one space's distances the mean and spread of another's.

    Both are for one query: its distances to the same S items in both spaces. The nearer half in each space is matched,
    by mean and standard deviation. Ranks do not enter, so that it does not matter which items are in which space, and
    a map that preserves the distances of all items but for a scale and a shift is found exactly.

    Args:
        given: Distances of shape (Q, S).
        wanted: Distances of the same queries to the same items in the other space, of shape (Q, S), S at least 2.

    Returns:
        Scale and shift, each of shape (Q, 1): ``scale * given + shift`` is comparable with ``wanted``. The scale is 1
        where all items are equally far in one of the spaces.

    Raises:
        ValueError: If the shapes differ or there are fewer than two items.
    """
    if given.dim() != 2 or given.shape != wanted.shape or given.shape[1] < 2:
        raise ValueError(
            f'distances must be of one shape (Q, S) with S at least 2, got {tuple(given.shape)} and '
            f'{tuple(wanted.shape)}'
        )
    number = max(2, round(_NEARER * given.shape[1]))
    before, after = (rows.double().sort(dim=1).values[:, :number] for rows in (given, wanted))
    spreads = before.std(dim=1, keepdim=True), after.std(dim=1, keepdim=True)
    known = (spreads[0] > 0) & (spreads[1] > 0)
    scale = torch.where(known, spreads[1] / torch.where(known, spreads[0], 1), 1)
    return scale, after.mean(dim=1, keepdim=True) - scale * before.mean(dim=1, keepdim=True)
