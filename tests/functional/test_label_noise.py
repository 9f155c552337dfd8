"""Detection of corrupted labels: scores of a ranking, and the cut where nothing is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mmfct.functional.label_noise import detection_scores, suspicion_threshold


def by_loops(scores, corrupted) -> dict[str, float]:
    """The three scores from their definitions; precision as the mean over all orders of equal scores."""
    bad = [score for score, is_bad in zip(scores, corrupted, strict=True) if is_bad]
    good = [score for score, is_bad in zip(scores, corrupted, strict=True) if not is_bad]
    auroc = np.mean([1.0 if a > b else 0.5 if a == b else 0.0 for a in bad for b in good])
    ap = recall = 0.0
    for cut in sorted(set(scores), reverse=True):
        taken = [is_bad for score, is_bad in zip(scores, corrupted, strict=True) if score >= cut]
        ap += (sum(taken) / len(bad) - recall) * sum(taken) / len(taken)
        recall = sum(taken) / len(bad)
    precisions = [
        np.mean([corrupted[i] for i in order[: len(bad)]])
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    return dict(auroc=auroc, ap=ap, precision_at_rate=np.mean(precisions))


@pytest.mark.parametrize('seed', range(6))
def test_scores_match_their_definitions_with_ties(seed):
    rng = np.random.default_rng(seed)
    corrupted = rng.permutation([True, True, True, False, False, False, False])
    scores = rng.integers(0, 3, 7).astype(float)
    assert detection_scores(scores, corrupted) == pytest.approx(by_loops(scores.tolist(), corrupted.tolist()))


def test_perfect_reversed_and_constant_rankings():
    corrupted = np.arange(10) >= 6
    perfect = detection_scores(np.arange(10.0), corrupted)
    assert perfect == dict(auroc=1, ap=1, precision_at_rate=1)
    backwards = detection_scores(-np.arange(10.0), corrupted)
    assert (backwards['auroc'], backwards['precision_at_rate']) == (0, 0)
    assert detection_scores(np.zeros(10), corrupted) == pytest.approx(dict(auroc=0.5, ap=0.4, precision_at_rate=0.4))


def test_order_does_not_matter_and_tensors_do():
    scores, corrupted = torch.randn(50).round(decimals=1), torch.rand(50) < 0.4
    order = torch.randperm(50)
    assert detection_scores(scores, corrupted) == pytest.approx(detection_scores(scores[order], corrupted[order]))
    assert all(type(value) is float for value in detection_scores(scores, corrupted).values())


@pytest.mark.parametrize(
    ('scores', 'corrupted', 'match'),
    [
        ([1.0, 2.0], [True], r'must have the same shape \(I,\), got \(2,\) and \(1,\)'),
        ([[1.0, 2.0]], [[True, False]], r'must have the same shape \(I,\)'),
        ([1.0, np.nan, np.inf], [True, False, False], '`scores` must be finite, got NaN or infinity for 2 of 3'),
        ([1.0, 2.0], [True, True], '`corrupted` must be true for some labels .* got 2 of 2'),
        ([1.0, 2.0], [False, False], '`corrupted` must be true for some labels .* got 0 of 2'),
        ([], [], 'got 0 of 0'),
    ],
)
def test_bad_input(scores, corrupted, match):
    with pytest.raises(ValueError, match=match):
        detection_scores(scores, corrupted)


def best_split(values) -> float:
    """Sum of squares within two groups, least over all splits, by a plain loop."""
    values = sorted(values)
    return min(
        np.var(values[:cut]) * cut + np.var(values[cut:]) * (len(values) - cut) for cut in range(1, len(values))
    )


@pytest.mark.parametrize('rate', [0.1, 0.2, 0.4, 0.6, 0.8])
def test_threshold_of_two_groups(rate):
    rng = np.random.default_rng(0)
    corrupted = rng.random(1000) < rate
    scores = rng.normal(np.where(corrupted, 2.5, -0.5), 0.5)
    threshold = suspicion_threshold(scores)
    within = [scores[scores > threshold], scores[scores <= threshold]]
    assert sum(np.var(part) * len(part) for part in within) == pytest.approx(best_split(scores))
    assert (scores > threshold).mean() == pytest.approx(corrupted.mean(), abs=0.01)


@pytest.mark.parametrize('shape', ['normal', 'uniform', 'exponential', 'laplace', 'gumbel'])
@pytest.mark.parametrize('seed', range(3))
def test_one_bump_has_no_threshold(shape, seed):
    assert suspicion_threshold(getattr(np.random.default_rng(seed), shape)(size=3000)) is None


def test_threshold_moves_with_the_scores():
    scores = np.concatenate([np.arange(5.0), 100 + np.arange(3.0)])
    assert suspicion_threshold(scores) == 52
    assert suspicion_threshold(10 * scores - 7) == 513
    assert suspicion_threshold([0.0] * 5 + [1.0] * 3) == 0.5


@pytest.mark.parametrize('scores', [[], [1.0], [2.0] * 9, [-5.9] + [-6.0] * 9])
def test_scores_that_cannot_be_split(scores):
    assert suspicion_threshold(scores) is None


def test_threshold_of_bad_scores():
    with pytest.raises(ValueError, match='NaN or infinity for 1 of 2'):
        suspicion_threshold([1.0, np.nan])
    with pytest.raises(ValueError, match=r'`scores` must have the shape \(I,\), got \(1, 2\)'):
        suspicion_threshold([[1.0, 2.0]])
