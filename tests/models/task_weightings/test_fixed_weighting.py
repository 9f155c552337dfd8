"""Tests of weights that somebody has chosen."""

from __future__ import annotations

import pytest
import torch


def test_weights_go_by_the_name_of_the_task(build, batch, means):
    weighting = build('FixedWeighting', weights=dict(pose=3.0, seg=1.0, depth=0.0))
    objective, weights = weighting(*batch)
    assert weights.tolist() == [1, 0, 3]
    torch.testing.assert_close(objective, means[0] + 3 * means[2])


def test_ones_are_equal_weighting(build, batch):
    fixed = build('FixedWeighting', weights=dict(seg=1, depth=1, pose=1))(*batch)
    assert torch.equal(fixed[0], build('EqualWeighting')(*batch)[0])


@pytest.mark.parametrize('weights', [dict(seg=1), dict(seg=1, depth=1, pose=1, sem=1)])
def test_other_tasks_are_refused(build, weights):
    with pytest.raises(ValueError, match=r"`weights` must have a number for each of the tasks \['seg', .* got \{"):
        build('FixedWeighting', weights=weights)


@pytest.mark.parametrize('value', [-1.0, float('nan'), float('inf')])
def test_other_numbers_are_refused(build, value):
    with pytest.raises(ValueError, match='`weights` must be finite numbers of at least 0, got .*depth'):
        build('FixedWeighting', weights=dict(seg=1, depth=value, pose=1))


def test_weights_under_which_nothing_is_learned_are_refused(build):
    with pytest.raises(ValueError, match='`weights` must be above 0 for some task, .* got .*0'):
        build('FixedWeighting', weights=dict(seg=0, depth=0.0, pose=0))
