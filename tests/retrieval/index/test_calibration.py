"""Tests of distances of two spaces on one scale."""

from __future__ import annotations

import pytest
import torch

from mmfct.retrieval.index.calibration import match_distances


def test_a_scale_and_a_shift_of_each_query_are_found():
    wanted = torch.rand(5, 80, dtype=torch.float64)
    scales, shifts = torch.rand(2, 5, 1, dtype=torch.float64).unbind()
    scale, shift = match_distances((wanted - shifts) / (scales + 0.1), wanted)
    torch.testing.assert_close(scale, scales + 0.1)
    torch.testing.assert_close(shift, shifts)


def test_the_nearer_half_decides():
    given = torch.tensor([[4.0, 1, 2, 3]])
    wanted = torch.tensor([[30.0, 20, 1000, 500]])  # 20 and 30 for the distances 1 and 2, whatever is farther
    scale, shift = match_distances(given, wanted)
    assert (scale * given + shift).squeeze().tolist() == pytest.approx([50, 20, 30, 40])


@pytest.mark.parametrize('equal', ['given', 'wanted'])
def test_items_that_are_equally_far(equal):
    columns = dict(given=torch.arange(6.0)[None], wanted=torch.arange(6.0)[None] + 5)
    columns[equal] = torch.full((1, 6), 7.0)
    scale, shift = match_distances(**columns)
    assert scale.item() == 1
    assert shift.item() == columns['wanted'][0, :3].mean() - columns['given'][0, :3].mean()


@pytest.mark.parametrize(('given', 'wanted'), [((2, 1), (2, 1)), ((2, 5), (2, 4)), ((5,), (5,))])
def test_bad_shapes(given, wanted):
    with pytest.raises(ValueError, match='distances must be of one shape'):
        match_distances(torch.zeros(given), torch.zeros(wanted))
