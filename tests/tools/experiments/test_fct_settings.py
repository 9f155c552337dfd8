"""The measurement tool: what it reads and prints; training itself is tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[3]


def write_results(tool, folder: Path, seed: int, upgraded: float, gap: float | None = 0.6) -> None:
    for _, side, seen in tool.CASES['tenth']:
        file = tool.result_file(folder, 'omniglot', seed, 'tenth', side, tool.CONFIGS['omniglot'][1][seen])
        file.parent.mkdir(parents=True, exist_ok=True)
        scores = {'old/old': 0.2, 'new/old': 0.01, 'new/upgraded': upgraded, 'new/new': 0.8}
        metrics = {f'compatibility/{pair}_{k}': v for pair, v in scores.items() for k in tool.SCORES}
        gain = gap and (upgraded - 0.2) / gap
        file.write_text(json.dumps(metrics | {'compatibility/update_gain_map': gain}))


def test_table_has_mean_and_spread_of_every_case(tool, tmp_path):
    write_results(tool, tmp_path, 0, 0.70)
    write_results(tool, tmp_path, 1, 0.74)
    lines = tool.table('omniglot', [0, 1], tmp_path, 'tenth').splitlines()
    assert len(lines) == 2 + 3 + len(tool.CASES['tenth'])
    assert lines[2] == '| old/old | 20.0 ± 0.0 | 20.0 ± 0.0 | 20.0 ± 0.0 |  |'
    assert lines[4].endswith('72.0 ± 2.8 | 86.7 ± 4.7 |')


def test_a_seed_without_a_gap_has_no_share(tool, tmp_path):
    write_results(tool, tmp_path, 0, 0.70)
    write_results(tool, tmp_path, 1, 0.74, gap=None)
    lines = tool.table('omniglot', [0, 1], tmp_path, 'tenth').splitlines()
    assert lines[4].endswith('72.0 ± 2.8 | - |')
    cases = len(tool.CASES['tenth'])
    assert lines[-1].startswith(f'-: in {cases} of {2 * cases} runs the new model is no better than the old one')


def test_finished_cases_are_not_run_again(tool, tmp_path, commands):
    write_results(tool, tmp_path, 0, 0.7)
    tool.run_seed('omniglot', 0, tmp_path, ['num_views=2'])
    assert len(commands) == len(tool.CASES['half']) + len(tool.CASES['coarse'])
    assert not any('setting=tenth' in command for command in commands)
    assert all(command[-1] == 'num_views=2' for command in commands)


def test_classes_of_the_tool_are_those_of_the_configs(tool):
    from mmfct.apis.training.config import load_config

    for config, classes in tool.CONFIGS.values():
        assert load_config(ROOT / config).num_classes == classes['all']
        assert load_config(ROOT / config, dict(setting='half')).side_classes == classes['half']
