"""The order of suspicion."""

from __future__ import annotations

import numpy as np

from mmfct.apis.find_corrupt_labels.learned_weights import LearnedWeights
from mmfct.apis.find_corrupt_labels.ranking import rank_suspects

FILES = ['a', 'b', 'c', 'd', 'e']
SCORE = np.array([[0.0, 9.0], [2.0, 9.0], [2.0, 9.0], [-1.0, 9.0], [5.0, 9.0]])
LOSSES = np.array([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0], [4.0, 0.0], [np.nan, 0.0]])
LEARNED = LearnedWeights(('seg', 'depth'), SCORE, np.exp(-SCORE), SCORE + 10, 'sha256:0')


def test_annotated_labels_by_score_then_by_loss():
    suspects = rank_suspects('seg', LEARNED, FILES, LOSSES, np.array([False, True, False, False, True]))
    assert suspects.files == ['c', 'b', 'a', 'd']
    assert suspects.rows.tolist() == [2, 1, 0, 3]
    assert suspects.score.tolist() == [2, 2, 0, -1]
    assert suspects.final_loss.tolist() == [3, 2, 1, 4]
    assert suspects.mean_loss.tolist() == [12, 12, 10, 9]
    assert suspects.corrupted.tolist() == [False, True, False, False]
    np.testing.assert_allclose(suspects.weight, np.exp(-suspects.score))


def test_one_group_has_no_issues():
    suspects = rank_suspects('depth', LEARNED, FILES, LOSSES, None)
    assert suspects.threshold is None
    assert suspects.corrupted is None
    assert suspects.is_issue.tolist() == [False] * 5


def test_two_groups_have():
    score = np.array([[0.0], [0.1], [5.0], [0.2], [5.1]])
    learned = LearnedWeights(('seg',), score, score, score, 'sha256:0')
    suspects = rank_suspects('seg', learned, FILES, np.ones((5, 1)), None)
    assert suspects.is_issue.tolist() == [True, True, False, False, False]
    assert 0.2 < suspects.threshold < 5
