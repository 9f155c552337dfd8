"""Every experiment runs from its command to its table, on trainings so short that its numbers mean nothing."""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
from concurrent.futures import Future
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[3]
EXPERIMENTS = ROOT / 'tools/experiments'
SHORT = dict(
    epochs=2, side_epochs=2, transform_epochs=2, warmup_epochs=1, num_views=1, image_size=8, log_level='WARNING'
)
RENDERED = {'--num': '12', '--num-val': '4', '--num-test': '4'}

pytestmark = pytest.mark.slow


class Inline:
    """A pool of processes that is this one."""

    def __init__(self, *_, **__):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *args) -> Future:
        future: Future = Future()
        future.set_result(function(*args))
        return future


@pytest.fixture
def experiment(monkeypatch, tmp_path, capsys, plain_config_text, undrawn_figures):
    """Function that runs an experiment with options for its trainings; returns the lines that it prints last.

    Tools run in this process, so that the hosts are imported once.
    """

    def run(name: str, *words: str, short: dict, folder: Path = tmp_path / 'runs', **constants) -> list[str]:
        spec = importlib.util.spec_from_file_location(name, EXPERIMENTS / f'{name}.py')
        script = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(script)
        for constant, value in constants.items():
            monkeypatch.setattr(script, constant, value)

        def run_tool(command, **_):
            _, file, *options = map(str, command)
            if '--cfg-options' in options:
                options += [f'{key}={value}' for key, value in short.items()]
            elif 'render' in file:
                values = [RENDERED.get(option) for option in options]
                for index, value in enumerate(values):
                    options[index + 1 : index + 2] = [value] if value else options[index + 1 : index + 2]
            with monkeypatch.context() as patch:
                patch.setattr(sys, 'argv', [file, *options])
                try:
                    runpy.run_path(str(ROOT / file), run_name='__main__')
                except SystemExit as end:
                    assert not end.code

        running, itp_runs = import_module('running'), import_module('itp_runs')
        for module in (running, itp_runs):
            monkeypatch.setattr(module, 'subprocess', SimpleNamespace(run=run_tool, DEVNULL=None))
        monkeypatch.setattr(running, 'ProcessPoolExecutor', Inline)
        if hasattr(script, 'run_cases'):
            shorten(monkeypatch, short)
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *words, '--seeds', '0', '--folder', str(folder)])
        capsys.readouterr()
        script.main()
        printed = capsys.readouterr().out
        assert 'nan' not in printed
        return printed[printed.rindex('seeds [0]') :].splitlines()

    for name in ('LOCAL_RANK', 'OMP_NUM_THREADS'):  # tools set them
        monkeypatch.setenv(name, os.environ.get(name, '0' if name == 'LOCAL_RANK' else '1'))
    monkeypatch.syspath_prepend(str(ROOT / 'tools'))
    monkeypatch.syspath_prepend(str(EXPERIMENTS))  # a script finds those beside it
    monkeypatch.chdir(ROOT)
    return run


def shorten(monkeypatch, short: dict) -> None:
    """Add options to the trainings that an experiment starts without a tool."""
    from mmfct.apis import find_corrupt_labels as rooms
    from mmfct.apis.training import train as training

    train, find = training.train, rooms.find_corrupt_labels

    def short_train(config, options):
        return train(config, replace(options, cfg_options={**options.cfg_options, **short}))

    def short_find(config, checkpoint, *, cfg_options, **options):
        return find(config, checkpoint, cfg_options={**cfg_options, **short}, **dict(top=1) | options)

    monkeypatch.setattr(training, 'train', short_train)
    monkeypatch.setattr(rooms, 'find_corrupt_labels', short_find)


@pytest.fixture
def omniglot(omniglot_root) -> dict:
    return SHORT | dict(data_root=omniglot_root, train_drawers='1,20')


@pytest.fixture(scope='module')
def shared_folder(tmp_path_factory) -> Path:
    """Folder of the experiments that reuse trainings of one another."""
    return tmp_path_factory.mktemp('experiments')


def rows(lines: list[str]) -> list[str]:
    """The rows of the tables, without heads."""
    found = [line for line in lines if line.startswith('| ')]
    rules = [index for index, line in enumerate(found) if line.startswith('| ---')]
    return [line for index, line in enumerate(found) if index not in rules and index + 1 not in rules]


def test_all_experiments_are_here():
    source = Path(__file__).read_text()
    experiments = {path.stem for path in EXPERIMENTS.glob('*.py')} - {'spread', 'running', 'itp_runs', 'merging'}
    # These run in files of their own, on data that are made there.
    experiments -= {'learned_vectors', 'mixed_serving', 'plan_sample', 'pretrained_vectors', 'itp_comparison_grid'}
    assert {name for name in experiments if f"experiment('{name}'" in source.replace('\n        ', '')} == experiments


def test_fct_settings(experiment, omniglot, shared_folder):
    cases = {'coarse': [('none', 'none', 'all'), ('SimCLR', 'simclr', 'all'), ('neck', 'shared', 'all')]}
    lines = experiment('fct_settings', 'omniglot', short=omniglot, folder=shared_folder, CASES=cases)
    assert len(rows(lines)) == 6


def test_fct_methods(experiment, omniglot, shared_folder):
    lines = experiment('fct_methods', 'omniglot', '--settings', 'coarse', short=omniglot, folder=shared_folder)
    assert {'| old/old |', '| new/new |'} <= {line[:11] for line in rows(lines)}
    assert any(line.startswith('| bct ') for line in rows(lines))


def test_fct_sequence(experiment, omniglot):
    assert len(rows(experiment('fct_sequence', short=omniglot))) == 7


def test_fct_sources(experiment, omniglot, shared_folder):
    sources = import_module('fct_sources').SOURCES
    chosen = [source for source in sources if source.title.startswith(('none', 'SimCLR, 16', 'autoencoder'))]
    chosen.append(sources[-1])
    options = dict(short=omniglot, folder=shared_folder)
    lines = experiment('fct_sources', '--settings', 'coarse', **options, SOURCES=chosen)
    assert [line.split(' | ')[0] for line in rows(lines)][1:-1] == [f'| {source.title}' for source in chosen]


def test_fct_updates(experiment, omniglot):
    assert len(rows(experiment('fct_updates', short=omniglot, UPDATES=('from_digits',)))) == 4


def test_data_parameters(experiment):
    short = {'epochs': 2, 'image_size': 8, 'warmup_epochs': 1, 'train_dataloader.dataset.dataset.indices': 70}
    assert len(rows(experiment('data_parameters', 'digits', short=short))) == 6 + 3 + 4 * 4


def test_itp_street_scenes(experiment):
    short = dict(epochs=1, base_channels=4, batch_size=4)
    script = import_module('itp_street_scenes')
    fewer = dict(
        TASKS=('depth',),
        GOALS=dict(depth=script.GOALS['depth']),
        CLEAN={case: script.CLEAN[case] for case in ('single_seg', 'single_depth', 'itp')},
    )
    assert len(rows(experiment('itp_street_scenes', '--rates', '0.4', short=short, **fewer))) == 4


def test_wrong_labels(experiment):
    short = dict(epochs=1, base_channels=4, batch_size=4, corrupted_depth=0.5, corrupted_seg=0.5)
    kinds = {'scaled, swapped': dict(depth='scaled', seg=dict(type='swapped', classes=(0, 1)))}
    lines = rows(experiment('wrong_labels', '--kind-seeds', '1', short=short, SHARES=(0.2,), KINDS=kinds))
    assert [line.split(' | ')[:2] for line in lines[2:]] == [
        ['| permuted', 'depth'],
        ['| permuted', 'seg'],
        ['| scaled', 'depth'],
        ['| swapped', 'seg'],
    ]


def test_itp_surreal(experiment):
    short = dict(epochs=1, batch_size=4)
    fewer = dict(CLEAN=('itp',), PERMUTED=('itp',))
    assert len(rows(experiment('itp_surreal', '--rates', '0.4', '--tasks', 'pose', short=short, **fewer))) == 3
