"""Rules to merge what a search in an old space and one in a new space find.

`matched` is that of `AdaptedSearch`; `raw` compares distances as they are; `z-scores` divides those of each part by
their own deviation; `fusion` is reciprocal-rank fusion.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mmfct.retrieval.index.calibration import match_distances

RULES = ('matched', 'raw', 'z-scores', 'fusion')
SAMPLE_ROWS = 1000
_FUSION = 60  # constant of reciprocal-rank fusion


def merge(rule: str, old: Tensor, new: Tensor, upgraded: Tensor, seed: int) -> Tensor:
    """Return what a rule ranks all items by.

    Args:
        rule: One of `RULES`.
        old: Distances of adapted queries to old embeddings, of shape (Q, N), inf where an item is the query itself.
        new: Distances of queries to upgraded embeddings, likewise.
        upgraded: Rows of the upgraded items, of shape (U,).
        seed: Seed of the sample that distances are matched by.
    """
    waiting = torch.ones(old.shape[1], dtype=torch.bool)
    waiting[upgraded] = False
    direct = new[:, upgraded]
    if rule == 'matched':
        chosen = torch.randperm(len(upgraded), generator=torch.Generator().manual_seed(seed))[:SAMPLE_ROWS]
        sample = [_without_own(distances[:, upgraded[chosen]]) for distances in (old, new)]
        scale, shift = match_distances(*sample)
        old = scale * old + shift
    elif rule == 'z-scores':
        old, direct = _standardised(old[:, waiting], old), _standardised(direct, direct)
    elif rule == 'fusion':
        ranks = torch.zeros_like(old)
        ranks[:, waiting] = _ranks(old[:, waiting])
        own = old.isinf()
        old, direct = -1 / (_FUSION + ranks), -1 / (_FUSION + _ranks(direct))
        old[own] = torch.inf
        direct[own[:, upgraded]] = torch.inf
    merged = old.clone()
    merged[:, upgraded] = direct
    return merged


def _without_own(sample: Tensor) -> Tensor:
    """Put the query itself, at an infinite distance, as far away as the farthest item."""
    own = sample.isinf()
    return torch.where(own, sample.masked_fill(own, -torch.inf).amax(dim=1, keepdim=True), sample)


def _standardised(sample: Tensor, distances: Tensor) -> Tensor:
    """Subtract the mean of a sample of distances and divide by its deviation, query by query."""
    known = ~sample.isinf()
    number = known.sum(dim=1, keepdim=True)
    mean = sample.where(known, 0).sum(dim=1, keepdim=True) / number
    variance = (sample - mean).where(known, 0).square().sum(dim=1, keepdim=True) / number
    return (distances - mean) / variance.sqrt()


def _ranks(distances: Tensor) -> Tensor:
    return distances.argsort(dim=1, stable=True).argsort(dim=1).double() + 1
