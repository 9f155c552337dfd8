"""The measurements of instance-level task parameters: which cases they run, and what they read and print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

both = pytest.mark.parametrize('tool', ['itp_street_scenes', 'itp_surreal'], indirect=True)


@pytest.fixture
def calls(monkeypatch) -> list[str]:
    """What would have been done: ``train``, ``find``."""
    noted: list[str] = []
    monkeypatch.setattr('mmfct.apis.training.train.train', lambda config, options: noted.append('train'))
    monkeypatch.setattr('mmfct.apis.find_corrupt_labels.find_corrupt_labels', lambda *_, **__: noted.append('find'))
    return noted


def write_results(tool, run: Path, metrics: dict[str, float], area: float, share: int) -> None:
    """Leave the results of every case of a seed; trainings of a single task have its metrics alone."""
    for case in tool.cases((0.4,)):
        single = case.removeprefix('single_') if case.startswith('single_') else ''
        found = {key: value for key, value in metrics.items() if not single or ('depth' in key) == (single == 'depth')}
        (run / case / 'suspects').mkdir(parents=True)
        (run / case / 'metrics.json').write_text(json.dumps(found))
        if '_itp' in case:
            entry = dict(rankings=dict(rank=dict(auroc=area)), finding=f'at least about {share} %')
            (run / case / 'suspects/detection.json').write_text(json.dumps(dict.fromkeys(tool.TASKS, entry)))


@both
def test_options_of_the_cases_are_variables_of_the_config(tool):
    from mmfct.apis.training.config import config_variables, load_config

    cases = tool.cases((0.2, 0.4))
    assert len(cases) == len(tool.CLEAN) + 2 * len(tool.TASKS) * 4
    assert {name for options in cases.values() for name in options} <= config_variables(tool.CONFIG)
    for task in tool.TASKS:
        assert cases[f'{task}40_itp'] == {f'corrupted_{task}': 0.4, 'weighting': 'itp'}
        assert cases[f'{task}20_oracle']['epochs'] == round(load_config(tool.CONFIG).epochs / 0.8)


@both
def test_a_finished_case_is_not_trained_again(tool, tmp_path, calls):
    run, permuted = tmp_path / 'seed3', f'{tool.TASKS[0]}40_itp'
    for case, expected in (('itp', []), (permuted, ['find']), ('equal', ['train'])):
        if case != 'equal':
            (run / case).mkdir(parents=True)
            (run / case / 'metrics.json').write_text('{}')
        assert tool.run_case(case, {}, 3, 'data', tmp_path) == case
        assert calls == expected
        calls.clear()
    (run / permuted / 'suspects').mkdir()
    (run / permuted / 'suspects/detection.json').write_text('{}')
    tool.run_case(permuted, {}, 3, 'data', tmp_path)
    assert calls == []


@pytest.mark.parametrize('tool', ['itp_street_scenes'], indirect=True)
def test_tables_of_street_scenes_have_mean_and_spread_of_every_case(tool, tmp_path):
    for seed, (error, share) in enumerate([(0.02, 34), (0.04, 38)]):
        metrics = {'mIoU': 50.0, 'aAcc': 80.0, 'depth/abs_error': error, 'depth/rel_error': 0.25}
        write_results(tool, tmp_path / f'seed{seed}', metrics, 0.9 + error, share)
        for case, part in (('uncertainty', 20.0), ('oracle', 60.0)):
            changed = json.dumps(metrics | {'mIoU': part})
            (tmp_path / f'seed{seed}/seg40_{case}/metrics.json').write_text(changed)
        single = {'depth/abs_error': 0.01, 'depth/rel_error': 0.25}
        (tmp_path / f'seed{seed}/single_depth/metrics.json').write_text(json.dumps(single))
    lines = tool.tables(tmp_path, [0, 1], (0.4,)).splitlines()
    rows = {line.split(' | ')[0]: line for line in lines if line.startswith('| ') and '---' not in line}
    assert rows['| single_seg'] == '| single_seg |  |  | 50.0 ± 0.0 | 80.0 ± 0.0 |  |'
    # One of four metrics is twice and four times as large as that of the single task: 25 and 75 %.
    assert rows['| itp'] == '| itp | 30.00 ± 14.14 | 25.0 ± 0.0 | 50.0 ± 0.0 | 80.0 ± 0.0 | 50.0 ± 35.4 |'
    assert rows['| share, weighting'].endswith('| way (%) | AUROC | wrong labels, estimated |')
    assert rows['| 40% itp'].endswith('| 75 ± 0 | 0.930 ± 0.014 | at least about 34 %; at least about 38 % |')
    assert rows['| 40% itp second pass'].endswith('| at least about 34 %; at least about 38 % |')
    assert rows['| 40% oracle'].endswith('| 80.0 ± 0.0 |  |  |  |')
    assert lines[lines.index(rows['| share, weighting']) + 1] == f'| --- |{" ---: |" * 6} --- |'


@pytest.mark.parametrize('tool', ['itp_street_scenes'], indirect=True)
def test_a_second_pass_starts_from_what_the_first_one_found(tool, tmp_path, monkeypatch):
    options = []
    monkeypatch.setattr('mmfct.apis.training.train.train', lambda _, given: options.append(given.cfg_options))
    monkeypatch.setattr('mmfct.apis.find_corrupt_labels.find_corrupt_labels', lambda *_, **__: None)
    names = [name for name in tool.cases((0.4,)) if name.startswith('depth40_itp')]
    for name in names:
        tool.run_case(name, {}, 3, 'data', tmp_path)
    assert names == ['depth40_itp', 'depth40_itp_second_pass'] and 'suspects' not in options[0]
    assert options[1]['suspects'] == str(tmp_path / 'seed3/depth40_itp/suspects')


@pytest.mark.parametrize('tool', ['itp_surreal'], indirect=True)
def test_tables_of_clips_have_mean_and_spread_of_every_case(tool, tmp_path):
    for seed, (error, share) in enumerate([(90.0, 34), (94.0, 38)]):
        metrics = {'pose/mpjpe': error, 'pose/pa_mpjpe': 50.0, 'depth/rmse': 0.1, 'parts/iou': 0.5}
        metrics['parts/pixel_accuracy'] = 0.9
        write_results(tool, tmp_path / f'seed{seed}', metrics, error / 100, share)
    lines = tool.tables(tmp_path, [0, 1], (0.4,)).splitlines()
    rows = [line for line in lines if line.startswith('| ') and '---' not in line]
    assert len(rows) == 1 + 5 + 3 * (1 + 4)
    cells = '| 92.0 ± 2.8 | 50.0 ± 0.0 |  | 100.0 ± 0.0 | 50.0 ± 0.0 | 90.0 ± 0.0 |'
    assert rows[4] == f'| itp {cells}'
    assert rows[7] == f'| 40% uncertainty {cells}  |  |  |'
    assert rows[8] == f'| 40% itp {cells} - | 0.920 ± 0.028 | at least about 34 %; at least about 38 % |'


@pytest.mark.parametrize('tool', ['itp_surreal'], indirect=True)
def test_clips_can_have_permuted_labels_of_one_task(tool):
    assert [name for name in tool.cases((0.4,), ('pose',)) if '40' in name] == [
        'pose40_uncertainty',
        'pose40_itp',
        'pose40_itp_instance',
        'pose40_oracle',
    ]


@pytest.mark.parametrize('tool', ['itp_surreal'], indirect=True)
def test_a_case_without_the_surface_error_is_trained_again_where_it_is_asked_for(tool, tmp_path, calls):
    (tmp_path / 'seed0/pose40_itp/suspects').mkdir(parents=True)
    (tmp_path / 'seed0/pose40_itp/suspects/detection.json').write_text('{}')
    for metrics, expected in ({}, ['train', 'find']), ({'pose/surface_error': 1.0}, []):
        (tmp_path / 'seed0/pose40_itp/metrics.json').write_text(json.dumps(metrics))
        tool.run_case('pose40_itp', dict(body_female='f.npz'), 0, 'data', tmp_path)
        assert calls == expected
        calls.clear()


def test_a_score_that_a_seed_lacks_is_left_out(tool, tmp_path):
    for seed, metrics in enumerate([{'a': 1.0, 'b': 2.0}, {'a': 1.0}]):
        (tmp_path / str(seed)).mkdir()
        (tmp_path / str(seed) / 'metrics.json').write_text(json.dumps(metrics))
    columns = [('A', 'a', 1, 1), ('B', 'b', 1, 1)]
    assert tool.row('x', [tmp_path / '0', tmp_path / '1'], columns) == '| x | 1.0 ± 0.0 |  |'
