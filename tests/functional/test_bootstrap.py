"""Tests of the bootstrap interval."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmfct.functional import bootstrap
from mmfct.functional.bootstrap import bootstrap_interval


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
