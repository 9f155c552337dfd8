"""The order of suspicion."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.apis.find_corrupt_labels.learned_weights import LearnedWeights
from mmfct.apis.find_corrupt_labels.model import Judgement
from mmfct.apis.find_corrupt_labels.ranking import rank_suspects
from mmfct.functional.wrong_labels import estimate_wrong_labels

FILES = ['a', 'b', 'c', 'd', 'e']
SCORE = np.array([[0.0, 9.0], [2.0, 9.0], [2.0, 9.0], [np.nan, 9.0], [5.0, 9.0]])
LOSSES = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0], [np.nan, 0.0]])
RANKS = np.array([[0.5, 0.0], [0.25, 0.0], [0.25, 0.0], [0.25, 0.0], [np.nan, 0.0]])
LEARNED = LearnedWeights(('seg', 'depth'), SCORE, 'contrast', np.exp(-SCORE), SCORE + 10, 'sha256:0')


def test_annotated_labels_by_rank_then_by_score_then_by_loss():
    corrupted = np.array([False, True, False, False, True])
    suspects = rank_suspects('seg', LEARNED, FILES, Judgement(LOSSES, RANKS), corrupted)
    assert suspects.files == ['a', 'c', 'b', 'd']  # d was never compared in training
    assert suspects.rows.tolist() == [0, 2, 1, 3]
    assert suspects.rank.tolist() == [0.5, 0.25, 0.25, 0.25]
    assert suspects.score[:3].tolist() == [0, 2, 2] and np.isnan(suspects.score[3])
    assert suspects.final_loss.tolist() == [1, 3, 2, 4]
    assert suspects.mean_loss[:3].tolist() == [10, 12, 12]
    assert suspects.corrupted.tolist() == [False, False, True, False]
    assert suspects.score_name == 'contrast'
    np.testing.assert_allclose(suspects.weight, np.exp(-suspects.score))


def test_labels_that_all_agree_have_no_issues():
    suspects = rank_suspects('depth', LEARNED, FILES, Judgement(LOSSES, RANKS), None)
    assert suspects.corrupted is None and suspects.wrong.share == 0
    assert suspects.is_issue.tolist() == [False] * 5


def test_labels_that_agree_with_any_image_are_issues():
    ranks = np.concatenate([np.full(80, 0.01), np.linspace(0.05, 1, 20)])[:, None]
    learned = LearnedWeights(
        ('seg',), np.zeros((100, 1)), 'contrast', np.ones((100, 1)), np.ones((100, 1)), 'sha256:0'
    )
    files = [str(number) for number in range(100)]
    suspects = rank_suspects('seg', learned, files, Judgement(np.ones((100, 1)), ranks), None)
    expected = estimate_wrong_labels(ranks[::-1, 0])
    np.testing.assert_allclose(suspects.probability, expected.probability)
    assert suspects.files[0] == '99' and suspects.is_issue.sum() == pytest.approx(20, abs=2)
    assert not suspects.is_issue[-70:].any()


def test_without_evidence_nothing_is_an_issue():
    ranks = np.linspace(0, 1, 100)[:, None]
    learned = LearnedWeights(
        ('seg',), np.zeros((100, 1)), 'contrast', np.ones((100, 1)), np.ones((100, 1)), 'sha256:0'
    )
    suspects = rank_suspects('seg', learned, ['x'] * 100, Judgement(np.ones((100, 1)), ranks), None)
    assert not suspects.wrong.evidence and np.isnan(suspects.probability).all() and not suspects.is_issue.any()


def test_a_single_image_cannot_be_compared():
    judgement = Judgement(np.ones((1, 1)), np.full((1, 1), np.nan))
    learned = LearnedWeights(('seg',), np.zeros((1, 1)), 'contrast', np.ones((1, 1)), np.ones((1, 1)), 'sha256:0')
    with pytest.raises(ValueError, match="'seg' need images of other files, clips and classes .* got none"):
        rank_suspects('seg', learned, ['x'], judgement, None)


def test_labels_that_could_not_be_compared_are_counted(monkeypatch):
    said = []
    monkeypatch.setattr('mmfct.apis.find_corrupt_labels.ranking.print_log', lambda text, **_: said.append(text))
    judgement = Judgement(np.array([[1.0], [1.0], [np.nan]]), np.array([[0.2], [np.nan], [np.nan]]))
    ones = np.ones((3, 1))
    learned = LearnedWeights(('seg',), 0 * ones, 'contrast', ones, ones, 'sha256:0')
    assert rank_suspects('seg', learned, ['x', 'y', 'z'], judgement, None).files == ['x']
    assert said == ['seg: 1 labels are left out, since they could be compared with no other image']
