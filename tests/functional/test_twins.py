"""Rows that equal another but for rounding."""

from __future__ import annotations

import pytest
import torch

from mmfct.functional.twins import twin_rows


@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
def test_rounded_rows_are_found_and_others_are_not(distance):
    gallery = torch.randn(50, 16, generator=torch.Generator().manual_seed(0)) + 2  # a common offset hides nothing
    query = torch.cat([gallery[[7, 3]].half().float(), gallery[[4]] + 0.1])
    assert twin_rows(query, gallery, distance=distance).tolist() == [7, 3, -1]
    own = torch.tensor([7, -1, -1])
    assert twin_rows(query, gallery, distance=distance, own_rows=own).tolist() == [-1, 3, -1]


def test_lengths_count_unless_the_distance_is_cosine():
    gallery = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    assert twin_rows(2 * gallery[:2], gallery, distance='cosine').tolist() == [0, 1]
    assert twin_rows(2 * gallery[:2], gallery, distance='inner').tolist() == [-1, -1]
