"""Tables of suspicious labels."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest

from mmfct.apis.find_corrupt_labels.exports import write_cleanlab_csv, write_fiftyone_csv, write_suspects_csv
from mmfct.apis.find_corrupt_labels.ranking import Suspects


def make_suspects(**changes) -> Suspects:
    values = dict(
        task='seg',
        rows=np.array([2, 0, 3]),
        files=['c,1.png', 'a.png', 'd.png'],
        score=np.array([3.0, 0.5, 0.25]),
        weight=np.array([0.1, 1 / 3, 2.0]),
        final_loss=np.array([4.0, 1e-9, 0.5]),
        mean_loss=np.array([math.nan, 1.0, 2.0]),
        corrupted=None,
        threshold=1.75,
    )
    return Suspects(**values | changes)


def test_suspects_in_order_with_empty_cells_for_what_is_unknown(tmp_path):
    path = write_suspects_csv(make_suspects(), tmp_path)
    assert path.read_text() == (
        'file,task,weight,score,final_loss,mean_loss\n'
        '"c,1.png",seg,0.1,3,4,\n'
        'a.png,seg,0.3333333,0.5,1e-09,1\n'
        'd.png,seg,2,0.25,0.5,2\n'
    )
    assert path.name == 'suspects_seg.csv'


def test_truth_is_a_column_where_it_is_known(tmp_path):
    path = write_suspects_csv(make_suspects(corrupted=np.array([True, False, True])), tmp_path)
    with path.open(newline='') as file:
        assert [row['corrupted'] for row in csv.DictReader(file)] == ['1', '0', '1']


@pytest.mark.parametrize(('threshold', 'center'), [(1.75, 1.75), (None, 3.0)])
def test_cleanlab_quality_is_below_one_half_for_issues(tmp_path, threshold, center):
    path = write_cleanlab_csv(make_suspects(threshold=threshold), tmp_path)
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['index'] for row in rows] == ['0', '2', '3']
    assert [row['is_label_issue'] for row in rows] == ['False', str(threshold is not None), 'False']
    quality = [1 / (1 + math.exp(score - center)) for score in (0.5, 3, 0.25)]
    assert [float(row['label_quality']) for row in rows] == pytest.approx(quality, rel=1e-6)
    assert all((float(row['label_quality']) < 0.5) == (row['is_label_issue'] == 'True') for row in rows)


def test_cleanlab_takes_the_table(tmp_path):
    """As its `CleanLearning.fit` reads a data frame: a boolean column, a row per label, in the order of the data."""
    pandas = pytest.importorskip('pandas')
    frame = pandas.read_csv(write_cleanlab_csv(make_suspects(), tmp_path), index_col='index')
    assert frame['is_label_issue'].dtype == bool and frame['is_label_issue'].tolist() == [False, True, False]
    assert frame['label_quality'].between(0, 1).all() and frame.index.tolist() == [0, 2, 3]
    assert frame['label_quality'].idxmin() == 2


def test_fiftyone_has_a_row_per_image_and_columns_per_task(tmp_path):
    depth = make_suspects(task='depth', rows=np.array([1]), files=['b.png'], threshold=None, **{
        name: np.array([value]) for name, value in dict(score=7.0, weight=0.5, final_loss=1.0, mean_loss=2.0).items()
    })  # fmt: skip
    path = write_fiftyone_csv([make_suspects(), depth], ['/x/a.png', '/x/b.png', '/x/c,1.png', '/x/d.png'], tmp_path)
    with path.open(newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['filepath'] for row in rows] == ['/x/a.png', '/x/b.png', '/x/c,1.png', '/x/d.png']
    assert [row['seg_score'] for row in rows] == ['0.5', '', '3', '0.25']
    assert [row['seg_is_label_issue'] for row in rows] == ['0', '', '1', '0']
    assert [row['depth_final_loss'] for row in rows] == ['', '1', '', '']
    assert len(rows[0]) == 11
    path = write_fiftyone_csv([make_suspects()], ['/x/a.png', None, '/x/c,1.png', None], tmp_path)
    with path.open(newline='') as file:
        assert [row['filepath'] for row in csv.DictReader(file)] == ['/x/a.png', '/x/c,1.png']


def test_fiftyone_gets_absolute_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write_fiftyone_csv([], ['data/a.png'], tmp_path)
    assert path.read_text() == f'filepath\n{tmp_path}/data/a.png\n'
