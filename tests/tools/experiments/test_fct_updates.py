"""The measurement of updates: what it runs, reads and prints; training itself is tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from mmfct.apis.training.config import load_config

ROOT = Path(__file__).parents[3]


def write_results(tool, folder: Path, update: str, seed: int, upgraded: float) -> None:
    for side in tool.SIDES:
        file = tool.result_file(folder, seed, update, side)
        file.parent.mkdir(parents=True, exist_ok=True)
        scores = {'old/old': 0.2, 'new/upgraded': upgraded, 'new/new': 0.8}
        metrics = {f'compatibility/{pair}_{score}': value for pair, value in scores.items() for score in tool.SCORES}
        file.write_text(json.dumps(metrics | {'compatibility/update_gain_map': (upgraded - 0.2) / 0.6}))


def test_results_are_where_the_configs_leave_them(tool):
    for update in tool.UPDATES:
        for side in tool.SIDES:
            options = dict(side=side, work_root='w/seed3')
            config = load_config(ROOT / f'configs/fct/resnet10_omniglot_{update}.py', options)
            assert tool.result_file(Path('w'), 3, update, side).parent == ROOT / config.work_dir


def test_table_has_mean_and_spread(tool, tmp_path):
    write_results(tool, tmp_path, 'to_arcface', 0, 0.70)
    write_results(tool, tmp_path, 'to_arcface', 1, 0.74)
    lines = tool.table([0, 1], tmp_path, 'to_arcface').splitlines()
    assert len(lines) == 2 + 2 + len(tool.SIDES)
    assert lines[2] == '| old/old | 20.0 ± 0.0 | 20.0 ± 0.0 | 20.0 ± 0.0 |  |'
    assert lines[3].endswith('72.0 ± 2.8 | 86.7 ± 4.7 |')


def test_finished_cases_are_not_run_again(tool, tmp_path, commands):
    for update in tool.UPDATES:
        write_results(tool, tmp_path, update, 0, 0.7)
    tool.run_seed(0, tmp_path)
    assert commands == []
    tool.run_seed(1, tmp_path)
    assert len(commands) == len(tool.UPDATES) * len(tool.SIDES)
    assert {'seed=1', 'side=simclr', f'work_root={tmp_path / "seed1"}'} < set(commands[1])
