"""Comparison of rankings."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.apis.find_corrupt_labels.report import detection_table, measure_detection, write_detection
from mmfct.functional.label_noise import detection_scores


def make_suspects(task='depth', corrupted=None, mean_loss=None) -> Suspects:
    score = np.array([5.0, 4.5, 4.0, 0.5, 0.4, 0.3])
    loss = np.array([1.0, 4.0, 0.5, 3.0, 0.2, 0.1])
    mean_loss = np.full(6, np.nan) if mean_loss is None else mean_loss
    return Suspects(task, np.arange(6), list('abcdef'), score, -score, loss, mean_loss, corrupted, 2.25)


def test_rankings_are_measured_each_by_itself():
    corrupted = np.array([1, 1, 0, 0, 0, 0], dtype=bool)
    suspects = make_suspects(corrupted=corrupted, mean_loss=np.arange(6.0))
    entry = measure_detection([suspects])['depth']
    assert {name: entry[name] for name in ('labels', 'threshold', 'flagged', 'corrupted')} == dict(
        labels=6, threshold=2.25, flagged=3, corrupted=2
    )
    for name in ('score', 'final_loss', 'mean_loss'):
        assert entry['rankings'][name] == detection_scores(getattr(suspects, name), corrupted)


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
    assert '| seg | 6 | 3 | unknown |\n| depth | 6 | 3 | 2 |' in text
    assert '| depth | learned parameter | 1.0000 | 1.0000 | 1.0000 |' in text
    assert '| depth | final loss | 0.8750 | 0.8333 | 0.5000 |' in text
    assert '| depth | mean loss | not tracked |  |  |' in text


def test_table_without_any_truth():
    text = detection_table(measure_detection([make_suspects()]))
    assert 'AUROC' not in text
