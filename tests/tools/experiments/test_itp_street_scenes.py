"""The measurement tool: which cases it runs, and what it reads and prints."""

from __future__ import annotations

import json
from pathlib import Path


def write_results(tool, run: Path, error: float) -> None:
    for case in tool.cases((0.4,)):
        metrics = {}
        if case != 'single_depth':
            metrics |= {'mIoU': 50.0, 'aAcc': 80.0}
        if case != 'single_seg':
            metrics |= {'depth/abs_error': 0.01 if case == 'single_depth' else error, 'depth/rel_error': 0.25}
        (run / case / 'suspects').mkdir(parents=True)
        (run / case / 'metrics.json').write_text(json.dumps(metrics))
        if '_itp' in case:
            detection = {task: dict(rankings=dict(rank=dict(auroc=0.9 + error))) for task in ('depth', 'seg')}
            (run / case / 'suspects/detection.json').write_text(json.dumps(detection))


def test_options_of_the_cases_are_variables_of_the_config(tool):
    from mmfct.apis.training.config import config_variables, load_config

    cases = tool.cases((0.2, 0.4))
    assert len(cases) == 5 + 2 * 2 * 3
    assert {name for options in cases.values() for name in options} <= config_variables(tool.CONFIG)
    assert cases['seg40_itp'] == dict(corrupted_seg=0.4, weighting='itp')
    assert cases['depth20_oracle']['epochs'] == round(load_config(tool.CONFIG).epochs / 0.8)


def test_tables_have_mean_and_spread_of_every_case(tool, tmp_path):
    write_results(tool, tmp_path / 'seed0', 0.02)
    write_results(tool, tmp_path / 'seed1', 0.04)
    lines = tool.tables(tmp_path, [0, 1], (0.4,)).splitlines()
    rows = {line.split(' | ')[0]: line for line in lines if line.startswith('| ') and '---' not in line}
    assert rows['| single_seg'] == '| single_seg |  |  | 50.0 ± 0.0 | 80.0 ± 0.0 |  |'
    # One of four metrics is twice and four times as large as that of the single task: 25 and 75 %.
    assert rows['| itp'] == '| itp | 30.00 ± 14.14 | 25.0 ± 0.0 | 50.0 ± 0.0 | 80.0 ± 0.0 | 50.0 ± 35.4 |'
    assert rows['| 40% itp'].endswith('| 0.930 ± 0.014 |')
    assert rows['| 40% oracle'].endswith('| 80.0 ± 0.0 |  |')


def test_a_finished_case_is_not_trained_again(tool, tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr('mmfct.apis.training.train.train', lambda config, options: calls.append('train'))
    monkeypatch.setattr('mmfct.apis.find_corrupt_labels.find_corrupt_labels', lambda *_, **__: calls.append('find'))
    run = tmp_path / 'seed3'
    for case, expected in (('itp', []), ('depth40_itp', ['find']), ('equal', ['train'])):
        if case != 'equal':
            (run / case).mkdir(parents=True)
            (run / case / 'metrics.json').write_text('{}')
        assert tool.run_case(case, {}, 3, 'data', tmp_path) == case
        assert calls == expected
        calls.clear()
