"""The measurement tool: what it runs, reads and prints; the comparison itself is tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

from mmfct.apis.training.config import load_config

ROOT = Path(__file__).parents[3]
BOUNDS = {'old/old': 0.2, 'new/old': 0.0, 'new/new': 0.8}


def result(upgraded: float, curve: list[float | None]) -> dict:
    """What tools/compare_methods.py writes, of one method."""
    bounds = {pair: dict(cmc1=value, cmc5=value, map=value) for pair, value in BOUNDS.items()}
    method = dict(
        scores=dict(cmc1=upgraded, cmc5=upgraded, map=upgraded),
        gains=dict(map=(upgraded - 0.2) / 0.6),
        negative_flips=0.1,
        curves=dict(cmc1=curve, map=curve),
        goal=bounds['new/new'],
    )
    return dict(bounds=bounds, methods={'fct+side': method})


def test_table_has_mean_and_spread_of_every_method(tool):
    lines = tool.table([result(0.70, [0.7, 0.8]), result(0.74, [0.74, 0.8])]).splitlines()
    assert len(lines) == 2 + len(BOUNDS) + 1
    assert lines[4] == '| new/new | 80.0 ± 0.0 | 80.0 ± 0.0 | 80.0 ± 0.0 |  |  |  |  |  |'
    cells = [cell.strip() for cell in lines[5].split('|')[1:-1]]
    assert cells == [
        *('fct+side', '72.0 ± 2.8', '72.0 ± 2.8', '72.0 ± 2.8', '86.7 ± 4.7', '10.0 ± 0.0'),
        *('76.0 ± 1.4', '76.0 ± 1.4', '80.0 ± 0.0'),
    ]


def test_a_curve_that_could_not_be_measured_has_no_area(tool):
    line = tool.table([result(0.7, [None]), result(0.7, [0.7, 0.8])]).splitlines()[-1]
    assert line.split('|')[7:9] == [' - ', ' - ']


def finish(tool, *case) -> None:
    """Leave the result of a case."""
    file = tool.result_file(*case)
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(result(0.7, [0.7])))


def test_finished_cases_are_not_run_again(tool, tmp_path, commands):
    finish(tool, tmp_path, 'grocery', 1, 'tenth')
    tool.run_seed('grocery', 1, ['half', 'tenth'], tmp_path)
    assert [words[0] for words in commands] == ['tools/train.py', 'tools/compare_methods.py']
    train, compare = commands
    assert train[1] == 'configs/bct/resnet10_grocery.py' and 'setting=half' in train and 'setting=half' in compare
    options = dict(word.split('=') for word in train[3:])
    (bct,) = (word.split('=')[1] for word in compare if word.startswith('bct='))
    assert Path(bct).parent == Path(
        load_config(ROOT / train[1], options | dict(seed=1)).work_dir
    )  # where BCT is trained to


def test_results_are_read_where_the_comparison_leaves_them(tool, tmp_path):
    for data, (config, _) in tool.CONFIGS.items():
        for setting in tool.SETTINGS:
            root = tmp_path / data / 'seed0'
            work_dir = load_config(ROOT / config, dict(setting=setting, work_root=str(root))).work_dir
            file = tool.result_file(tmp_path, data, 0, setting)
            assert file == Path(work_dir) / 'methods/methods.json'


def test_some_methods_need_no_bct(tool, tmp_path, commands):
    finish(tool, tmp_path, 'omniglot', 0, 'half')
    tool.run_seed('omniglot', 0, ['half'], tmp_path, ['fct+side'])
    assert not commands
    tool.run_seed('omniglot', 0, ['half'], tmp_path, ['fct+side', 'ridge'])
    (words,) = commands
    assert words[:5] == (
        'tools/compare_methods.py',
        'configs/fct/resnet10_omniglot.py',
        '--methods',
        'fct+side',
        'ridge',
    )
    both = result(0.7, [0.7])
    both['methods']['bct'] = both['methods']['fct+side']
    assert tool.table([both], ['fct+side']) == tool.table([result(0.7, [0.7])]) != tool.table([both])
