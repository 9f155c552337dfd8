"""The names of distances."""

from __future__ import annotations

import pytest

from mmfct.utils.distances import DISTANCES, check_distance


@pytest.mark.parametrize('distance', DISTANCES)
def test_known_distances_pass(distance):
    check_distance(distance)


def test_an_unknown_distance_lists_the_choices():
    with pytest.raises(ValueError, match="`distance` must be one of l2, cosine, inner, got 'l1'"):
        check_distance('l1')
