"""The measurement of sources of side-information: what it runs, reads and prints; training is tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mmfct.apis.training.config import load_config

ROOT = Path(__file__).parents[3]


def write_results(tool, folder: Path, seed: int, upgraded: float) -> None:
    for source in tool.SOURCES:
        file = tool.result_file(folder, seed, 'tenth', source)
        file.parent.mkdir(parents=True, exist_ok=True)
        scores = {'old/old': 0.2, 'new/upgraded': upgraded, 'new/new': 0.8}
        metrics = {f'compatibility/{pair}_{score}': value for pair, value in scores.items() for score in tool.SCORES}
        file.write_text(json.dumps(metrics | {'compatibility/update_gain_map': (upgraded - 0.2) / 0.6}))


@pytest.mark.parametrize('setting', ['half', 'tenth', 'coarse'])
def test_rows_agree_with_their_configs(tool, setting):
    for source in tool.SOURCES:
        options = dict(source.options, setting=setting, work_root='w/omniglot/seed3')
        config = load_config(ROOT / f'configs/fct/{source.config}.py', options)
        assert tool.result_file(Path('w'), 3, setting, source).parent == ROOT / config.work_dir
        assert config.model.head.old_dims == tool.OLD_DIMS
        assert source.dims == (config.model.head.side_dims if 'side' in config.model.encoders else 0)


def test_table_has_mean_spread_and_bytes(tool, tmp_path):
    write_results(tool, tmp_path, 0, 0.70)
    write_results(tool, tmp_path, 1, 0.74)
    lines = tool.table([0, 1], 'tenth', tmp_path).splitlines()
    assert len(lines) == 2 + 2 + len(tool.SOURCES)
    assert lines[2] == '| old/old | 512 | 20.0 ± 0.0 | 20.0 ± 0.0 | 20.0 ± 0.0 |  |'
    assert lines[3].startswith('| none | 512 | 72.0 ± 2.8 ')
    assert lines[5].startswith('| SimCLR, 16-d | 576 | ')
    assert lines[-2].startswith('| SimCLR and a second old model, 128-d each | 1,536 |')
    assert lines[-2].endswith('72.0 ± 2.8 | 86.7 ± 4.7 |')


def test_finished_cases_are_not_run_again(tool, tmp_path, commands):
    write_results(tool, tmp_path, 0, 0.7)
    tool.run_seed(0, ['tenth'], tmp_path)
    assert commands == []
    tool.run_seed(1, ['tenth'], tmp_path)
    assert len(commands) == len(tool.SOURCES)
    work_root = f'work_root={tmp_path / "omniglot/seed1"}'
    config = 'configs/fct/resnet10_omniglot_sources.py'
    assert {config, 'side_dims=16', 'seed=1', 'setting=tenth', work_root} < set(commands[2])
