"""Comparison of rankings."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.apis.find_corrupt_labels.report import detection_table, finding, measure_detection, write_detection
from mmfct.functional.label_noise import detection_scores
from mmfct.functional.wrong_labels import WrongLabels


def make_suspects(task='depth', corrupted=None, mean_loss=None, wrong=None) -> Suspects:
    score = np.array([5.0, 4.5, 4.0, 0.5, 0.4, 0.3])
    loss = np.array([1.0, 4.0, 0.5, 3.0, 0.2, 0.1])
    mean_loss = np.full(6, np.nan) if mean_loss is None else mean_loss
    wrong = WrongLabels(0.4, (0.2, 0.6), np.array([1.0, 0.9, 0.8, 0.2, 0.1, 0.1]), True) if wrong is None else wrong
    rank = np.array([0.9, 0.8, 0.7, 0.1, 0.1, 0.0])
    return Suspects(
        task, np.arange(6), list('abcdef'), rank, wrong, score, 'contrast', -score, loss, mean_loss, corrupted
    )


def test_rankings_are_measured_each_by_itself():
    corrupted = np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    suspects = make_suspects(corrupted=corrupted, mean_loss=np.arange(6.0))
    entry = measure_detection([suspects])['depth']
    rankings = entry.pop('rankings')
    assert entry == dict(
        labels=6,
        share=0.4,
        interval=[0.2, 0.6],
        evidence=True,
        finding='at least about 40 % (20 to 60 %)',
        flagged=3,
        corrupted=2,
        precision=pytest.approx(2 / 3),
        recall=1.0,
        score_name='contrast',
    )
    for name in ('rank', 'score', 'final_loss', 'mean_loss'):
        assert rankings.pop(name) == detection_scores(getattr(suspects, name), corrupted)
    assert not rankings


@pytest.mark.parametrize(
    ('wrong', 'words'),
    [
        (
            WrongLabels(1.0, (0.8, 1.0), np.full(6, np.nan), False),
            'no evidence: the network has learned too little to tell, or most labels are wrong',
        ),
        (WrongLabels(0.01, (0.0, 0.06), np.zeros(6), True), 'none found (at most about 6 %, besides memorised ones)'),
        (
            WrongLabels(0.0, (0.0, 0.06), np.ones(6), True),
            'hardly any found (at most about 6 %, besides memorised ones)',
        ),
        (
            WrongLabels(0.02, (0.009, 0.06), np.ones(6), True),
            'hardly any found (at most about 6 %, besides memorised ones)',
        ),
        (WrongLabels(0.02, (0.011, 0.06), np.ones(6), True), 'at least about 2 % (1 to 6 %)'),
        (WrongLabels(0.33, (0.26, 0.41), np.zeros(6), True), 'at least about 33 % (26 to 41 %)'),
    ],
)
def test_the_share_in_words(wrong, words):
    assert finding(make_suspects(wrong=wrong)) == words


def test_precision_and_recall_where_there_is_nothing_to_count():
    wrong = WrongLabels(0.0, (0.0, 0.3), np.zeros(6), True)
    corrupted = np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    entry = measure_detection([make_suspects(corrupted=corrupted, wrong=wrong)])['depth']
    assert (entry['flagged'], entry['precision'], entry['recall']) == (0, None, 0.0)
    entry = measure_detection([make_suspects(corrupted=~corrupted & corrupted)])['depth']
    assert (entry['precision'], entry['recall']) == (0.0, None)


def test_a_label_that_was_never_met_is_left_out():
    corrupted, loss = np.array([1, 1, 0, 0, 0, 0], dtype=bool), np.array([np.nan, 4.0, 5.0, 1.0, 0.5, 0.2])
    entry = measure_detection([make_suspects(corrupted=corrupted, mean_loss=loss)])['depth']
    assert entry['rankings']['mean_loss'] == detection_scores(loss[1:], corrupted[1:])


@pytest.mark.parametrize('corrupted', [None, np.zeros(6, dtype=bool), np.ones(6, dtype=bool)])
def test_nothing_to_compare(corrupted):
    entry = measure_detection([make_suspects(corrupted=corrupted)])['depth']
    assert 'rankings' not in entry
    assert entry.get('corrupted') == (None if corrupted is None else corrupted.sum())


def test_files_say_what_was_not_tracked(tmp_path):
    corrupted = np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    detection = measure_detection([make_suspects('seg'), make_suspects('depth', corrupted)])
    write_detection(detection, tmp_path)
    assert json.loads((tmp_path / 'detection.json').read_text()) == detection
    text = (tmp_path / 'detection.md').read_text()
    assert text == detection_table(detection) + '\n'
    text = re.sub(' +', ' ', text)
    assert '| seg | 6 | at least about 40 % (20 to 60 %) | 3 | unknown |' in text
    assert '| depth | 6 | at least about 40 % (20 to 60 %) | 3 | 2 | 66.67 | 100.00 |' in text
    assert '| depth | rank among other predictions | 1.0000 | 1.0000 | 1.0000 |' in text
    assert '| depth | contrast | 1.0000 | 1.0000 | 1.0000 |' in text
    assert '| depth | final loss | 0.8750 | 0.8333 | 0.5000 |' in text
    assert '| depth | mean loss | not tracked | | |' in text


def test_table_without_any_truth():
    text = detection_table(measure_detection([make_suspects()]))
    assert 'AUROC' not in text
