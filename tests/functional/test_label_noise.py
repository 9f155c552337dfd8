"""Detection of corrupted labels: scores of a ranking."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from mmfct.functional.label_noise import detection_scores


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
