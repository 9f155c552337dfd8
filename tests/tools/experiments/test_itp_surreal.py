"""The measurement tool of SURREAL: which cases it runs, and what it reads and prints."""

from __future__ import annotations

import json
from pathlib import Path


def write_results(tool, run: Path, error: float) -> None:
    for case in tool.cases((0.4,)):
        metrics = {'pose/mpjpe': error, 'pose/pa_mpjpe': 50.0, 'depth/rmse': 0.1, 'parts/iou': 0.5}
        (run / case / 'suspects').mkdir(parents=True)
        (run / case / 'metrics.json').write_text(json.dumps(metrics | {'parts/pixel_accuracy': 0.9}))
        if '_itp' in case:
            detection = {task: dict(rankings=dict(rank=dict(auroc=error / 100))) for task in tool.TASKS}
            (run / case / 'suspects/detection.json').write_text(json.dumps(detection))


def test_options_of_the_cases_are_variables_of_the_config(tool):
    from mmfct.apis.training.config import config_variables, load_config

    cases = tool.cases((0.2, 0.4))
    assert len(cases) == 5 + 2 * 3 * 3
    assert {name for options in cases.values() for name in options} <= config_variables(tool.CONFIG)
    assert cases['pose40_itp'] == dict(corrupted_pose=0.4, weighting='itp')
    assert cases['parts20_oracle']['epochs'] == round(load_config(tool.CONFIG).epochs / 0.8)
    assert [name for name in tool.cases((0.4,), ('pose',)) if '40' in name] == [
        'pose40_uncertainty',
        'pose40_itp',
        'pose40_oracle',
    ]


def test_tables_have_mean_and_spread_of_every_case(tool, tmp_path):
    write_results(tool, tmp_path / 'seed0', 90.0)
    write_results(tool, tmp_path / 'seed1', 94.0)
    lines = tool.tables(tmp_path, [0, 1], (0.4,)).splitlines()
    rows = [line for line in lines if line.startswith('| ') and '---' not in line]
    assert len(rows) == 1 + 5 + 3 * (1 + 3)
    cells = '| 92.0 ± 2.8 | 50.0 ± 0.0 |  | 100.0 ± 0.0 | 50.0 ± 0.0 | 90.0 ± 0.0 |'
    assert rows[5] == f'| itp {cells}'
    assert rows[7] == f'| 40% uncertainty {cells}  |' and rows[8] == f'| 40% itp {cells} 0.920 ± 0.028 |'


def test_a_finished_case_is_not_trained_again(tool, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr('mmfct.apis.training.train.train', lambda config, options: calls.append('train'))
    monkeypatch.setattr('mmfct.apis.find_corrupt_labels.find_corrupt_labels', lambda *_, **__: calls.append('find'))
    run = tmp_path / 'seed3'
    for case, expected in (('itp', []), ('pose40_itp', ['find']), ('equal', ['train'])):
        if case != 'equal':
            (run / case).mkdir(parents=True)
            (run / case / 'metrics.json').write_text('{}')
        assert tool.run_case(case, {}, 3, 'data', tmp_path) == case
        assert calls == expected
        calls.clear()


def test_a_case_without_the_surface_error_is_trained_again_where_it_is_asked_for(tool, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr('mmfct.apis.training.train.train', lambda config, options: calls.append('train'))
    monkeypatch.setattr('mmfct.apis.find_corrupt_labels.find_corrupt_labels', lambda *_, **__: calls.append('find'))
    (tmp_path / 'seed0/pose40_itp/suspects').mkdir(parents=True)
    (tmp_path / 'seed0/pose40_itp/suspects/detection.json').write_text('{}')
    for metrics, expected in ({}, ['train', 'find']), ({'pose/surface_error': 1.0}, []):
        (tmp_path / 'seed0/pose40_itp/metrics.json').write_text(json.dumps(metrics))
        tool.run_case('pose40_itp', dict(body_female='f.npz'), 0, 'data', tmp_path)
        assert calls == expected
        calls.clear()


def test_a_score_that_a_seed_lacks_is_left_out(tool, tmp_path):
    for seed, metrics in enumerate([{'pose/mpjpe': 1.0, 'pose/surface_error': 2.0}, {'pose/mpjpe': 1.0}]):
        (tmp_path / str(seed)).mkdir()
        (tmp_path / str(seed) / 'metrics.json').write_text(json.dumps(metrics))
    assert tool.row('x', [tmp_path / '0', tmp_path / '1']).startswith('| x | 1.0 ± 0.0 |  |  |')
