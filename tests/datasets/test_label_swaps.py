"""Tests of assigning permuted labels."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.datasets.label_swaps import draw_donors


def draw(number=100, fraction=0.4, task='depth', seed=0, **options):
    return draw_donors(options.get('annotations', ['x'] * number), fraction, task=task, seed=seed)


@pytest.mark.parametrize('fraction', [0.02, 0.2, 0.404, 1.0])
def test_the_share_goes_round_in_one_cycle(fraction):
    donors = draw(fraction=fraction)
    moved = np.flatnonzero(donors != np.arange(100))
    assert len(moved) == round(fraction * 100)
    assert sorted(donors.tolist()) == list(range(100))
    place, steps = donors[moved[0]], 1
    while place != moved[0]:
        place, steps = donors[place], steps + 1
    assert steps == len(moved)


def test_smaller_shares_are_part_of_larger_ones():
    chosen = [set(np.flatnonzero(draw(fraction=fraction) != np.arange(100))) for fraction in (0.2, 0.4, 0.6)]
    assert chosen[0] < chosen[1] < chosen[2]


def test_the_choice_depends_on_seed_and_task_only():
    assert np.array_equal(draw(), draw())
    assert not np.array_equal(draw(), draw(seed=1))
    assert not np.array_equal(draw(), draw(task='seg'))
    assert draw(number=8, fraction=0.5).tolist() == [2, 1, 3, 7, 4, 5, 6, 0]  # in every process


def test_tasks_are_independent():
    moved = [draw(4000, 0.5, task) != np.arange(4000) for task in ('seg', 'depth')]
    assert abs((moved[0] & moved[1]).mean() - 0.25) < 0.03


def test_every_instance_has_the_same_chance():
    counts = sum((draw(10, 0.3, seed=seed) != np.arange(10)).astype(int) for seed in range(2000))
    assert counts.sum() == 6000
    assert np.abs(counts - 600).max() < 100  # five standard deviations


def test_only_annotated_instances_take_part():
    annotations = [None, 'a', 'b', None, 'c', 'd', None]
    donors = draw(annotations=annotations, fraction=1.0)
    assert donors[[0, 3, 6]].tolist() == [0, 3, 6]
    assert (donors[[1, 2, 4, 5]] != [1, 2, 4, 5]).all()


def test_no_share_changes_nothing():
    assert draw(5, 0.0).tolist() == [0, 1, 2, 3, 4]
    assert draw(0, 0.0).shape == (0,)


@pytest.mark.parametrize(('number', 'fraction'), [(5, 0.2), (1, 1.0), (0, 0.5), (1000, 0.0001)])
def test_too_few_to_permute(number, fraction):
    match = f'`fractions` must choose at least 2 .* got {fraction} of {number} annotated .*depth'
    with pytest.raises(ValueError, match=match):
        draw(number, fraction)
