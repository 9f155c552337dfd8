"""How tables write what several seeds gave."""

from __future__ import annotations

from statistics import StatisticsError

import pytest


def test_mean_and_deviation_of_a_sample(tool):
    assert tool.spread([1.0, 2.0, 4.5]) == '2.5 ± 1.8'
    assert tool.spread([0.0125, 0.0135], factor=1000, digits=2) == '13.00 ± 0.71'
    assert tool.percent([0.5, 0.75]) == '62.5 ± 17.7'


def test_a_single_seed_has_no_deviation(tool):
    assert tool.spread([0.91234], digits=3) == '0.912'
    assert tool.percent([0.5]) == '50.0'


def test_nothing_has_no_mean(tool):
    with pytest.raises(StatisticsError):
        tool.spread([])


def test_what_was_not_measured_is_a_dash(tool):
    assert tool.percent([0.5, None]) == '-'
    assert tool.gap_note([0.5, 0.75]) == []
    assert tool.gap_note([0.5, None, None])[-1].startswith('-: in 2 of 3 runs the new model is no better than the old')


def test_the_way_from_one_mean_to_another(tool):
    # Of three values that have the deviation 1, with fixed ends: the error of their mean, sqrt(1 / 3), in quarters.
    assert tool.way([0.0] * 3, [3.0, 2.0, 1.0], [4.0] * 3) == '50 ± 14'
    assert tool.way([4.0] * 3, [1.0, 2.0, 3.0], [0.0] * 3) == '50 ± 14'
    assert tool.way([1.0], [1.0], [3.0]) == '0'
    assert tool.way([1.0, 2.0], [1.0, 2.0], [2.0, 1.0]) == '-'
    assert tool.way([55.61], [53.8], [55.6]) == '-'  # 18,100 %
