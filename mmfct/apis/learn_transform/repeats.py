"""Pairs that teach nothing, or that would be learned from and judged by at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from mmfct.functional.twins import twin_rows
from mmfct.utils.tables import percent

if TYPE_CHECKING:
    from mmfct.apis.learn_transform.pairs import Pairs

_MOST_TWINS = 1000  # pairs that are compared with all others


def without_zeros(pairs: Pairs) -> tuple[Pairs, list[str]]:
    """Leave out rows of zeros, which stand for items that could not be embedded."""
    notes = []
    kept = torch.ones(len(pairs), dtype=torch.bool)
    for role, values in (('old', pairs.old), ('new', pairs.new), ('side', pairs.side)):
        if values is not None and (zero := ~values.any(dim=1)).any():
            notes.append(f'{int(zero.sum())} {role} embeddings are zero in all dimensions and left out')
            kept &= ~zero
    return (pairs.take(kept.nonzero().squeeze(1)) if notes else pairs), notes


def without_repeats(pairs: Pairs) -> tuple[Pairs, list[str]]:
    """Leave out pairs whose vectors another pair has: an item with two ids would be learned from and judged by."""
    columns = [values.numpy() for values in (pairs.old, pairs.new, pairs.side) if values is not None]
    first: dict[tuple[int, ...], int] = {}
    for row in range(len(pairs)):
        first.setdefault(tuple(hash(values[row].tobytes()) for values in columns), row)
    repeated = len(pairs) - len(first)
    if not repeated:
        return pairs, []
    notes = [f'{repeated:,} pairs repeat the vectors of another one, as items with several ids do, and are left out']
    return pairs.take(torch.tensor(list(first.values()))), notes


def near_repeats(pairs: Pairs) -> list[str]:
    """Say how many pairs have nearly the vectors of another one, from a sample."""
    rows = torch.arange(0, len(pairs), -(-len(pairs) // _MOST_TWINS))
    twins = [
        twin_rows(values[rows], values, distance=pairs.distance, own_rows=rows) for values in (pairs.old, pairs.new)
    ]
    share = ((twins[0] >= 0) & (twins[1] >= 0)).float().mean().item()
    if not share:
        return []
    return [
        f'{percent(share)} % of the pairs have nearly the vectors of another one: if these are the same items, scores '
        'of held-out pairs are too good'
    ]
