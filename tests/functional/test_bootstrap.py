"""Tests of the bootstrap interval."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import pytest
import torch

from mmfct.functional import bootstrap
from mmfct.functional.bootstrap import (
    affordable_resamples,
    bootstrap_difference,
    bootstrap_interval,
    share_interval,
    simultaneous_intervals,
)


def test_ends_are_those_of_scipy():
    stats = pytest.importorskip('scipy.stats')
    values = torch.randn(60).exp()
    low, high = bootstrap_interval(values, confidence=0.9, resamples=20000)
    expected = stats.bootstrap(
        (values.numpy(),),
        np.mean,
        confidence_level=0.9,
        n_resamples=20000,
        method='percentile',
        rng=np.random.default_rng(1),
    ).confidence_interval
    spread = float(expected.high - expected.low)
    assert low == pytest.approx(expected.low, abs=0.03 * spread)
    assert high == pytest.approx(expected.high, abs=0.03 * spread)


def test_means_of_resampled_bits_are_binomial():
    """The number of ones among n bits drawn with replacement has a closed form: Binomial(n, share of ones)."""
    stats = pytest.importorskip('scipy.stats')
    bits = torch.zeros(200)
    bits[:60] = 1
    low, high = bootstrap_interval(bits, resamples=20000)
    expected = stats.binom(200, 0.3).ppf([0.025, 0.975]) / 200
    assert [low, high] == pytest.approx(expected.tolist(), abs=1 / 200)


def test_nine_of_ten_intervals_of_90_percent_cover_the_mean():
    covered = 0
    for seed in range(200):
        values = torch.randn(50, generator=torch.Generator().manual_seed(seed)) + 3
        low, high = bootstrap_interval(values, confidence=0.9, resamples=500, seed=seed)
        covered += low <= 3 <= high
    assert covered == pytest.approx(180, abs=15)  # 3.5 standard deviations


def test_same_seed_same_interval_whatever_the_chunks(monkeypatch):
    values = torch.randn(30)
    interval = bootstrap_interval(values, resamples=100)
    assert bootstrap_interval(values, resamples=100) == interval
    assert bootstrap_interval(values, resamples=100, seed=1) != interval
    monkeypatch.setattr(bootstrap, '_VALUES_PER_CHUNK', 70)
    assert bootstrap_interval(values, resamples=100) == interval


def test_equal_values_leave_no_doubt():
    assert bootstrap_interval(torch.full((7,), 0.25)) == (0.25, 0.25)


@pytest.mark.parametrize(
    ('values', 'options', 'message'),
    [
        (torch.zeros(0), {}, '`values` must be a finite vector with an entry, got'),
        (torch.zeros(2, 2), {}, '`values` must be a finite vector'),
        (torch.tensor([0, math.nan]), {}, '`values` must be a finite vector'),
        (torch.zeros(3), dict(confidence=1), '`confidence` must lie between 0 and 1, got 1'),
        (torch.zeros(3), dict(resamples=0), '`resamples` must be at least 1, got 0'),
    ],
)
def test_bad_input_is_refused(values, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, **options)


def test_a_difference_of_other_queries_varies_as_both_do():
    """The variance of a difference of independent means is the sum of theirs."""
    before, after = torch.randn(400), 2 + 3 * torch.randn(100)
    low, high = bootstrap_difference(before, after, resamples=5000)
    spread = (before.var(correction=0) / 400 + after.var(correction=0) / 100).sqrt().item()
    mean = (after.mean() - before.mean()).item()
    assert [low, high] == pytest.approx([mean - 1.96 * spread, mean + 1.96 * spread], abs=0.1 * spread)
    with pytest.raises(ValueError, match='`values` must be a finite vector with an entry'):
        bootstrap_difference(torch.ones(3), torch.zeros(0))


def test_simultaneous_intervals_are_as_wide_as_independent_normal_means_need():
    values = torch.randn(2000, 10, dtype=torch.float64)
    low, high = simultaneous_intervals(values, resamples=4000)
    errors = values.std(dim=0, correction=0) / 2000**0.5
    # Of ten independent intervals of level p, all cover with p^10.
    expected = NormalDist().inv_cdf((1 + 0.95**0.1) / 2)
    assert torch.allclose((high - low) / (2 * errors), torch.tensor(expected, dtype=torch.float64), rtol=0.03)
    torch.testing.assert_close((low + high) / 2, values.mean(dim=0))


def test_simultaneous_intervals_of_equal_columns_are_those_of_one():
    column = torch.rand(300, 1)
    low, high = simultaneous_intervals(column.expand(300, 5), resamples=4000)
    assert len(set(low.tolist())) == 1
    assert (low[0].item(), high[0].item()) == pytest.approx(bootstrap_interval(column[:, 0]), abs=0.004)
    constant = torch.cat([column, torch.full((300, 1), 0.1)], dim=1)
    low, high = simultaneous_intervals(constant, resamples=4000)
    assert high[1].item() == low[1].item() == pytest.approx(0.1)
    assert (low[0].item(), high[0].item()) == pytest.approx(bootstrap_interval(column[:, 0]), abs=0.004)


@pytest.mark.parametrize(
    ('hits', 'number', 'ends'), [(81, 263, (0.255, 0.366)), (0, 10, (0, 0.2775)), (10, 10, (0.7225, 1))]
)
def test_share_interval_is_wilsons(hits, number, ends):
    """The first is Newcombe's example (1998, table I); without a hit the upper end is z^2 / (n + z^2)."""
    assert share_interval(hits, number) == pytest.approx(ends, abs=5e-4)


def test_resamples_are_fewer_of_many_queries():
    assert [affordable_resamples(number) for number in (1, 20_000, 10**9)] == [2000, 1000, 400]


def test_bad_input_of_the_other_intervals():
    with pytest.raises(ValueError, match=r'`values` must be a finite matrix with an entry, got shape \(3,\)'):
        simultaneous_intervals(torch.ones(3))
    with pytest.raises(ValueError, match='`values` must be a finite matrix'):
        simultaneous_intervals(torch.full((3, 2), math.nan))
    with pytest.raises(ValueError, match='`hits` must lie in .0, `number`. and `number` be at least 1, got 4 and 3'):
        share_interval(4, 3)
    with pytest.raises(ValueError, match='got 0 and 0'):
        share_interval(0, 0)
    with pytest.raises(ValueError, match='`confidence` must lie between 0 and 1, got 95'):
        share_interval(0, 1, confidence=95)
