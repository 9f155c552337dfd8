"""Tests of how many labels are wrong, and which, by their ranks among other images' predictions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mmfct.functional.wrong_labels import estimate_wrong_labels, wilson_interval


def make_ranks(share: float, number: int = 500, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of right labels, near 0, and of wrong ones, uniform; and which are wrong."""
    rng = np.random.default_rng(seed)
    wrong = np.arange(number) < round(share * number)
    return np.where(wrong, rng.random(number), rng.beta(0.4, 12, number)), wrong


@pytest.mark.parametrize('share', [0.0, 0.1, 0.2, 0.4])
def test_the_interval_holds_the_share_in_nine_of_ten_runs(share):
    hits = 0
    for seed in range(40):
        found = estimate_wrong_labels(make_ranks(share, seed=seed)[0])
        assert found.evidence and found.interval[0] <= found.share <= found.interval[1]
        hits += found.interval[0] <= share <= found.interval[1]
    assert hits >= 36


@pytest.mark.parametrize('share', [0.1, 0.4])
def test_probabilities_mean_what_they_say(share):
    probability, wrong = [], []
    for seed in range(20):
        ranks, truth = make_ranks(share, seed=seed)
        probability.append(estimate_wrong_labels(ranks).probability)
        wrong.append(truth)
    probability, wrong = np.concatenate(probability), np.concatenate(wrong)
    assert (probability >= 0).all() and (probability <= 1).all()
    assert wrong[probability >= 0.8].mean() > 0.9
    assert wrong[probability < 0.2].mean() < 0.2
    assert probability.mean() == pytest.approx(share, abs=0.06)


def test_right_labels_flag_next_to_none():
    flagged = [(estimate_wrong_labels(make_ranks(0, seed=seed)[0]).probability >= 0.5).mean() for seed in range(20)]
    assert np.mean(flagged) <= 0.01


def test_a_label_is_the_likelier_wrong_the_higher_its_rank():
    ranks, _ = make_ranks(0.3)
    probability = estimate_wrong_labels(ranks).probability[np.argsort(ranks)]
    assert (np.diff(probability) >= -1e-12).all()


def test_the_share_is_twice_that_above_the_middle():
    ranks = [0.0] * 7 + [0.6, 0.9, 0.5]
    found = estimate_wrong_labels(ranks)
    assert found.share == pytest.approx(2 * 2.5 / 10)
    assert found.interval == pytest.approx(tuple(min(2 * end, 1) for end in wilson_interval(2.5, 10)))


@pytest.mark.parametrize('ranks', [np.linspace(0, 1, 300), np.full(50, 0.5), np.ones(9)])
def test_a_network_that_has_learned_nothing_is_no_evidence(ranks):
    found = estimate_wrong_labels(ranks)
    assert not found.evidence and np.isnan(found.probability).all() and len(found.probability) == len(ranks)
    assert found.share > 0.9 and found.share <= 1


def test_most_labels_look_wrong_to_a_network_that_has_learned_little():
    ranks = np.concatenate([np.linspace(0, 1, 700), np.linspace(0, 0.1, 300)])
    doubtful, fewer = estimate_wrong_labels(ranks), estimate_wrong_labels(np.concatenate([ranks, np.zeros(200)]))
    assert doubtful.share == pytest.approx(0.7) and not doubtful.evidence and np.isnan(doubtful.probability).all()
    assert fewer.share == pytest.approx(0.583, abs=0.01) and fewer.evidence


def test_interval_of_wilson():
    # Newcombe (1998), table I: 81 of 263 and 0 of 20.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson_interval(0, 20) == pytest.approx((0, 0.1611), abs=1e-4)
    assert wilson_interval(20, 20) == pytest.approx((1 - 0.1611, 1), abs=1e-4)


@pytest.mark.parametrize('ranks', [[], [0.1, math.nan], [-0.1], [1.1], [[0.1, 0.2]]])
def test_ranks_that_are_none_are_refused(ranks):
    with pytest.raises(ValueError, match=r'`ranks` must be numbers in \[0, 1\] of shape \(N,\), got '):
        estimate_wrong_labels(ranks)
