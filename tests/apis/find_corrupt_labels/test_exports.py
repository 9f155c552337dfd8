"""Tables of suspicious labels."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from mmfct.apis.find_corrupt_labels.exports import write_cleanlab_csv, write_fiftyone_csv, write_suspects_csv
from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.functional.wrong_labels import WrongLabels

UNKNOWN = WrongLabels(1.0, (0.8, 1.0), np.full(3, math.nan), False)


def make_suspects(**changes) -> Suspects:
    values = dict(
        task='seg',
        rows=np.array([2, 0, 3]),
        files=['c,1.png', 'a.png', 'd.png'],
        rank=np.array([0.75, 0.25, 0.125]),
        wrong=WrongLabels(0.4, (0.2, 0.5), np.array([0.9, 0.5, 0.25]), True),
        score=np.array([3.0, 0.5, math.nan]),
        score_name='contrast',
        weight=np.array([0.1, 1 / 3, 2.0]),
        final_loss=np.array([4.0, 1e-9, 0.5]),
        mean_loss=np.array([math.nan, 1.0, 2.0]),
        corrupted=None,
    )
    return Suspects(**values | changes)


def test_suspects_in_order_with_empty_cells_for_what_is_unknown(tmp_path):
    path = write_suspects_csv(make_suspects(), tmp_path)
    assert path.read_text() == (
        'file,task,probability,rank,weight,score,final_loss,mean_loss\n'
        '"c,1.png",seg,0.9,0.75,0.1,3,4,\n'
        'a.png,seg,0.5,0.25,0.3333333,0.5,1e-09,1\n'
        'd.png,seg,0.25,0.125,2,,0.5,2\n'
    )
    assert path.name == 'suspects_seg.csv'


def test_names_of_files_keep_bytes_that_are_no_text(tmp_path):
    files = [b'\xff.png'.decode(errors='surrogateescape'), 'a.png', 'd.png']
    path = write_suspects_csv(make_suspects(files=files), tmp_path)
    assert path.read_bytes().splitlines()[1].startswith(b'\xff.png,seg,')


def test_truth_is_a_column_where_it_is_known(tmp_path):
    path = write_suspects_csv(make_suspects(corrupted=np.array([True, False, True])), tmp_path)
    with path.open(newline='') as file:
        assert [row['corrupted'] for row in csv.DictReader(file)] == ['1', '0', '1']


def test_cleanlab_quality_is_the_probability_of_a_right_label(tmp_path):
    path = write_cleanlab_csv(make_suspects(), tmp_path)
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['index'] for row in rows] == ['0', '2', '3']
    assert [row['is_label_issue'] for row in rows] == ['True', 'True', 'False']
    assert [float(row['label_quality']) for row in rows] == pytest.approx([0.5, 0.1, 0.75], rel=1e-6)


def test_cleanlab_quality_without_evidence_is_by_rank_and_has_no_issues(tmp_path):
    path = write_cleanlab_csv(make_suspects(wrong=UNKNOWN), tmp_path)
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['is_label_issue'] for row in rows] == ['False'] * 3
    assert [float(row['label_quality']) for row in rows] == pytest.approx([0.75, 0.25, 0.875], rel=1e-6)
    path = write_suspects_csv(make_suspects(wrong=UNKNOWN), tmp_path)
    with path.open(newline='') as file:
        assert [row['probability'] for row in csv.DictReader(file)] == [''] * 3


def test_cleanlab_takes_the_table(tmp_path):
    """As its `CleanLearning.fit` reads a data frame: a boolean column, a row per label, in the order of the data."""
    pandas = pytest.importorskip('pandas')
    frame = pandas.read_csv(write_cleanlab_csv(make_suspects(), tmp_path), index_col='index')
    assert frame['is_label_issue'].dtype == bool and frame['is_label_issue'].tolist() == [True, True, False]
    assert frame['label_quality'].between(0, 1).all() and frame.index.tolist() == [0, 2, 3]
    assert frame['label_quality'].idxmin() == 2


def test_fiftyone_has_a_row_per_image_and_columns_per_task(tmp_path):
    values = dict(rank=0.0, score=7.0, weight=0.5, final_loss=1.0, mean_loss=2.0)
    depth = make_suspects(
        task='depth',
        rows=np.array([1]),
        files=['b.png'],
        wrong=WrongLabels(0.0, (0.0, 0.3), np.zeros(1), True),
        **{name: np.array([value]) for name, value in values.items()},
    )
    path = write_fiftyone_csv([make_suspects(), depth], ['/x/a.png', '/x/b.png', '/x/c,1.png', '/x/d.png'], tmp_path)
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['filepath'] for row in rows] == ['/x/a.png', '/x/b.png', '/x/c,1.png', '/x/d.png']
    assert [row['seg_score'] for row in rows] == ['0.5', '', '3', '']
    assert [row['seg_is_label_issue'] for row in rows] == ['1', '', '1', '0']
    assert [row['seg_probability'] for row in rows] == ['0.5', '', '0.9', '0.25']
    assert [row['depth_final_loss'] for row in rows] == ['', '1', '', '']
    assert len(rows[0]) == 13
    path = write_fiftyone_csv([make_suspects()], ['/x/a.png', None, '/x/c,1.png', None], tmp_path)
    with path.open(newline='') as file:
        assert [row['filepath'] for row in csv.DictReader(file)] == ['/x/a.png', '/x/c,1.png']


def test_fiftyone_gets_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_fiftyone_csv([], ['data/a.png'], tmp_path)
    assert path.read_text() == f'filepath\n{tmp_path}/data/a.png\n'
