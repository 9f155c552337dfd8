"""The measurement tool: what it runs and prints; training itself is tested elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from mmfct.apis.training.config import load_config

ROOT = Path(__file__).parents[3]


@pytest.fixture
def calls(monkeypatch) -> list[tuple]:
    """What would have been trained and looked through."""
    noted: list[tuple] = []
    monkeypatch.setattr('mmfct.apis.training.train.train', lambda *args: noted.append(('train', *args)))
    monkeypatch.setattr(
        'mmfct.apis.find_corrupt_labels.find_corrupt_labels',
        lambda *args, **options: noted.append(('find', *args, options)),
    )
    return noted


def write_results(tool: ModuleType, folder: Path, seed: int, accuracy: float, area: float) -> None:
    for case in tool.CASES:
        suspects = folder / f'seed{seed}' / case / 'suspects'
        suspects.mkdir(parents=True)
        (suspects.parent / 'metrics.json').write_text(json.dumps({'accuracy/top1': accuracy}))
        detection = dict(labels=10, corrupted=4)
        if case != 'clean':
            detection['rankings'] = {name: dict(auroc=area, ap=area / 2) for name in tool.RANKINGS}
        (suspects / 'detection.json').write_text(json.dumps(dict(label=detection)))


def test_tables_have_mean_and_spread_of_every_case(tool, tmp_path):
    write_results(tool, tmp_path, 0, 70.0, 0.90)
    write_results(tool, tmp_path, 1, 74.0, 0.94)
    accuracy, detection = tool.tables(tmp_path, [0, 1]).split('\n\n')
    assert accuracy.splitlines()[2:] == [f'| {title} | 72.0 ± 2.8 |' for title, _ in tool.CASES.values()]
    rows = detection.splitlines()[2:]
    plain = ['the rank among other predictions', 'the final loss', 'the mean loss']
    assert [row.split(' | ')[1] for row in rows[:3]] == plain
    assert len(rows) == 3 + 4 * len(tool.RANKINGS)
    assert all(row.endswith(' | 0.920 ± 0.028 | 0.460 ± 0.014 |') for row in rows)
    assert '±' not in tool.tables(tmp_path, [1])


def test_a_case_is_trained_and_looked_through(tool, calls, tmp_path):
    tool.run_case('omniglot', 'clean', 7, tmp_path, dict(data_root='images'))
    (_, config, options), (_, same, checkpoint, found) = calls
    assert config == same == str(ROOT / 'configs/itp/resnet10_omniglot_noisy.py')
    assert options.work_dir == str(tmp_path / 'omniglot/seed7/clean')
    assert checkpoint == f'{options.work_dir}/final.pth'
    assert found['cfg_options'] == options.cfg_options
    assert options.cfg_options.items() >= dict(corrupted=0.0, seed=7, data_root='images').items()


def test_finished_cases_are_not_run_again(tool, calls, tmp_path):
    write_results(tool, tmp_path / 'digits', 0, 70.0, 0.9)
    tool.run_case('digits', 'itp', 0, tmp_path, {})
    assert not calls
    tool.run_case('digits', 'itp', 1, tmp_path, {})
    assert [kind for kind, *_ in calls] == ['train', 'find']


def test_cases_are_what_their_titles_say(tool):
    for data in tool.DATA:
        made = {
            case: load_config(ROOT / f'configs/itp/resnet10_{data}_noisy.py', options)
            for case, (_, options) in tool.CASES.items()
        }
        shares = {case: config.train_dataloader.dataset.fractions.label for case, config in made.items()}
        assert shares == dict.fromkeys(tool.CASES, 0.4) | dict(clean=0.0)
        rates = {case: config.custom_hooks[0].get('lr', 1) for case, config in made.items()}
        assert [case for case in made if rates[case] < 1e-9] == ['clean', 'plain']  # temperatures stay at 1
        losses = {case: config.model.head.loss.type for case, config in made.items()}
        wrapped = dict.fromkeys(('itp', 'itp_second_pass', 'itp_gradient'), 'mmfct.InstanceTaskWeightLoss')
    assert losses == dict.fromkeys(made, 'mmfct.DataParameterLoss') | wrapped
    assert made['itp_gradient'].model.head.loss.gradient and 'gradient' not in made['itp'].model.head.loss


def test_a_second_pass_starts_from_what_the_first_one_found(tool, calls, tmp_path):
    tool.run_case('digits', 'itp_second_pass', 7, tmp_path, {})
    assert calls[0][2].cfg_options['suspects'] == str(tmp_path / 'digits/seed7/itp/suspects')
