"""The update gain."""

from __future__ import annotations

import math

import pytest

from mmfct.functional import update_gain


@pytest.mark.parametrize(('upgraded', 'gain'), [(0.2, 0.0), (0.8, 1.0), (0.5, 0.5), (0.1, -1 / 6)])
def test_gain_is_the_share_of_the_gap(upgraded, gain):
    assert update_gain(upgraded, old_old=0.2, new_new=0.8) == pytest.approx(gain)


def test_no_gap_to_recover():
    assert math.isnan(update_gain(0.5, old_old=0.5, new_new=0.5))


@pytest.mark.parametrize(
    ('upgraded', 'old_old', 'new_new'), [(0.1, 0.5, 0.2), (0.5, 0.3, 0.3 - 1e-15), (0.3, 0.31, 0.3)]
)
def test_a_new_model_that_is_no_better_has_no_gain(upgraded, old_old, new_new):
    assert math.isnan(update_gain(upgraded, old_old, new_new))
