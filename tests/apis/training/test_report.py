"""The files at the end of a life cycle."""

from __future__ import annotations

import json
import math

import pytest
import torch

from mmfct.apis.training import report
from mmfct.apis.training.report import write_report
from mmfct.evaluation import CompatibilityMetric, compatibility_table
from mmfct.utils.json import without_nan

FILES = ['compatibility.json', 'compatibility.md', 'compatibility.png']


def evaluate(roles: tuple[str, ...], pairs: tuple[str, ...]) -> tuple[dict, CompatibilityMetric]:
    """An evaluation of eight images of two classes."""
    metric = CompatibilityMetric(pairs, topk=(1,))
    generator = torch.Generator().manual_seed(0)
    metric.process(
        None,
        [
            dict(
                embeddings={role: torch.randn(3, generator=generator) for role in roles}, gt_label=i % 2, sample_idx=i
            )
            for i in range(8)
        ],
    )
    return metric.evaluate(8), metric


def test_files_hold_what_was_measured(tmp_path, capsys):
    pairs = ('old/old', 'new/upgraded', 'new/new')
    metrics, metric = evaluate(('old', 'upgraded', 'new'), pairs)
    write_report(metrics, [object(), metric], tmp_path / 'new/folder')
    folder = tmp_path / 'new/folder'
    assert sorted(path.name for path in folder.iterdir()) == [*FILES, 'embeddings.png']
    assert json.loads((folder / 'compatibility.json').read_text()) == without_nan(metrics)
    assert (folder / 'compatibility.md').read_text() == compatibility_table(metric.scores) + '\n'
    last = capsys.readouterr().out.splitlines()[-1]
    expected = 'compatibility.md, compatibility.json, compatibility.png, embeddings.png'
    assert last.endswith(f'Report: {folder}/{expected}')


def test_without_an_upgrade_there_is_no_projection(tmp_path, capsys):
    metrics, metric = evaluate(('old', 'new'), ('old/old', 'new/new'))
    write_report(metrics, [metric], tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    assert 'embeddings.png' not in capsys.readouterr().out


def test_what_could_not_be_measured_is_null(tmp_path):
    metrics, metric = evaluate(('old', 'upgraded', 'new'), ('old/old', 'new/upgraded', 'new/new'))
    metrics['compatibility/update_gain_map'] = math.nan
    write_report(metrics, [metric], tmp_path)
    numbers = json.loads((tmp_path / 'compatibility.json').read_text(), parse_constant=pytest.fail)
    assert numbers.pop('compatibility/update_gain_map') is None
    assert numbers.keys() < metrics.keys()


def test_other_metrics_have_no_report_of_compatibility(tmp_path):
    write_report({'accuracy/top1': 1.0}, [object()], tmp_path / 'new')
    assert sorted(path.name for path in (tmp_path / 'new').iterdir()) == ['metrics.json', 'metrics.md']


def test_the_table_is_that_of_the_metric_whatever_else_was_measured(tmp_path):
    metrics, metric = evaluate(('old', 'new'), ('new/new',))
    write_report({'accuracy/top1': 1.0, 'other/new/new_map': 0.5} | metrics, [object(), metric], tmp_path)
    assert (tmp_path / 'compatibility.md').read_text() == compatibility_table(metric.scores) + '\n'
    numbers = json.loads((tmp_path / 'compatibility.json').read_text())
    assert list(numbers) == ['accuracy/top1', 'other/new/new_map', *metrics]


def test_only_the_main_process_writes(tmp_path, monkeypatch):
    metrics, metric = evaluate(('old',), ('old/old',))
    monkeypatch.setattr(report, 'is_main_process', lambda: False)
    write_report(metrics, [metric], tmp_path / 'new')
    assert not (tmp_path / 'new').exists()


def test_metrics_of_the_host_that_are_no_single_numbers(tmp_path):
    # mmpretrain's ConfusionMatrix gives a matrix, SingleLabelMetric with average=None a list.
    metrics = {'accuracy/top1': 50.0, 'confusion/result': torch.eye(2), 'precision': [1.0, math.nan]}
    write_report(metrics, [object()], tmp_path)
    assert json.loads((tmp_path / 'metrics.json').read_text()) == {
        'accuracy/top1': 50.0,
        'confusion/result': [[1.0, 0.0], [0.0, 1.0]],
        'precision': [1.0, None],
    }
    assert (tmp_path / 'metrics.md').read_text().count('\n') == 3


def test_a_metric_without_anything_to_measure_has_a_row_of_its_own(tmp_path):
    write_report(dict(mIoU=math.nan, aAcc=50.0, matrix=[[1.0]]), [], tmp_path)
    assert (tmp_path / 'metrics.md').read_text().splitlines()[2:] == ['| mIoU | not measured |', '| aAcc | 50 |']
