"""Neighbours and their recall against plain loops."""

from __future__ import annotations

import pytest
import torch

from mmfct.functional import neighbour_recall as module
from mmfct.functional import pairwise_distances
from mmfct.functional.neighbour_recall import nearest_rows, neighbour_recall


@pytest.mark.parametrize('distance', ['cosine', 'l2', 'inner'])
@pytest.mark.parametrize('cells', [1, 2**24])
def test_nearest_rows_are_those_of_the_sorted_distances(distance, cells, monkeypatch):
    monkeypatch.setattr(module, '_CELLS_PER_CHUNK', cells)
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(30, 5, generator=generator).double() * torch.rand(30, 1, generator=generator).double()
    query = torch.cat([gallery[[3, 8]], torch.randn(4, 5, generator=generator).double()])
    own = torch.tensor([3, 8, -1, -1, -1, -1])
    found = nearest_rows(query, gallery, 7, distance=distance, own_rows=own)
    for row, distances in enumerate(pairwise_distances(query, gallery, distance)):
        order = [place for place in distances.argsort().tolist() if place != own[row]]
        assert found[row].tolist() == order[:7]


def test_recall_is_the_share_of_right_neighbours():
    generator = torch.Generator().manual_seed(0)
    found, right = (torch.stack([torch.randperm(50, generator=generator)[:20] for _ in range(9)]) for _ in range(2))
    for k in (1, 10, 20):
        expected = [len({*a[:k]} & {*b[:k]}) / k for a, b in zip(found.tolist(), right.tolist(), strict=True)]
        assert neighbour_recall(found, right, k).tolist() == expected
    assert neighbour_recall(right, right.flip(1), 20).tolist() == [1] * 9


def test_what_cannot_be_compared():
    rows = torch.eye(4)
    with pytest.raises(ValueError, match=r'`k` must lie in \[1, 3\], the number of other items in the gallery, got 4'):
        nearest_rows(rows, rows, 4, own_rows=torch.arange(4))
    assert nearest_rows(rows, rows, 4).shape == (4, 4)
    with pytest.raises(ValueError, match='must have 3 neighbours of the same queries'):
        neighbour_recall(torch.zeros(2, 2), torch.zeros(2, 3), 3)
    with pytest.raises(ValueError, match='must have 1 neighbours of the same queries'):
        neighbour_recall(torch.zeros(2, 2), torch.zeros(3, 2), 1)
