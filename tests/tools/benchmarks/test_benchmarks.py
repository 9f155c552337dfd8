"""Every benchmark runs, on problems so small that its numbers mean nothing."""

from __future__ import annotations

import importlib.util
import json
import logging
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[3]
BENCHMARKS = ROOT / 'tools/benchmarks'
# Script: its options, and keys of the numbers that it prints.
RUNS = {
    'cached_training': (
        '--images 2 --batch-size 4 --image-size 32 --depth 18 --repeats 1',
        {'epoch_ratio', 'training_ratio_with_table'},
    ),
    'extraction': (
        '--images 3 --batch-size 2 --image-size 32 --depth 18 --workers 0',
        {'network', 'loading', 'extraction', 'decoders', 'share_of_network', 'workers_needed'},
    ),
    'learn_transform': (
        '--pairs 400 --old-dims 16 --side-dims 8 --new-dims 12 --whole',
        {'ridge_ratio', 'closed_forms_ratio', 'whole_ratio', 'chosen'},
    ),
    'retrieval_metrics': (
        '--rows 60 --dims 4 --classes 5 --repeats 1 --reference-rows 20',
        {'metric_seconds', 'ratio', 'peak_megabytes_above_inputs', 'speed_up_over_sorting'},
    ),
    'scale': (
        '--images 5 --rows 12 --width 3 --shard-rows 4',
        {'list_microseconds', 'list_bytes', 'merge_microseconds', 'row_bytes', 'manifest_bytes'},
    ),
    'task_weights': (
        '--base-channels 2 --image-size 32 64 --batch-size 2 --repeats 1 --few 10 --many 20 '
        '--weighting-batch-size 4 --rounds 1',
        {'step', 'instances'},
    ),
    'upgrade_gallery': (
        '--rows 200 --batch-size 64 --images 1 --repeats 1',
        {'milliseconds_per_item', 'share_of_matrix_products', 'backfill_ratio'},
    ),
}
HELPERS = {'devices', 'random_encoder', 'run_all'}


@pytest.fixture
def benchmark(monkeypatch, capsys):
    """Function that runs a benchmark in this process and returns the JSON that it prints."""

    def run(name: str, options: str) -> dict:
        monkeypatch.syspath_prepend(str(BENCHMARKS))  # a script finds those beside it
        monkeypatch.setattr(sys, 'argv', [f'{name}.py', *options.split()])
        runpy.run_path(str(BENCHMARKS / f'{name}.py'), run_name='__main__')
        return json.loads(capsys.readouterr().out)

    yield run
    logging.disable(logging.NOTSET)


def test_all_benchmarks_are_here():
    assert {path.stem for path in BENCHMARKS.glob('*.py')} == RUNS.keys() | HELPERS


@pytest.mark.parametrize('name', RUNS)
def test_a_benchmark_runs(benchmark, name):
    options, keys = RUNS[name]
    result = benchmark(name, options)
    assert keys <= result.keys()
    assert all(value > 0 for key, value in result.items() if key.endswith(('ratio', 'seconds')) and value is not None)


@pytest.mark.slow
def test_the_memory_of_task_weights_is_that_of_fresh_processes(benchmark):
    result = benchmark('task_weights', f'{RUNS["task_weights"][0]} --memory')['memory']
    assert result['ratio'] == result['itp_megabytes'] / result['equal_megabytes'] and result['equal_megabytes'] > 1


@pytest.mark.parametrize('name', RUNS)
def test_commands_on_the_pages_have_these_options(name):
    texts = [path.read_text() for path in [*ROOT.glob('docs/**/*.md'), *ROOT.glob('configs/*/README.md')]]
    commands = [
        command for text in texts for command in re.findall(rf'python tools/benchmarks/{name}\.py([^`\n]*)', text)
    ]
    assert commands
    source = (BENCHMARKS / f'{name}.py').read_text()
    for option in re.findall(r'--[\w-]+', ' '.join(commands)):
        assert f"'{option}'" in source


def test_a_random_encoder_embeds(monkeypatch, tmp_path):
    from mmfct.registry import MODELS

    random_encoder = runpy.run_path(str(BENCHMARKS / 'random_encoder.py'))['random_encoder']
    encoder = MODELS.build(random_encoder(tmp_path, depth=18))
    assert encoder(torch.rand(2, 3, 32, 32)).shape == (2, 128)


@pytest.fixture
def run_all(monkeypatch):
    """The script that runs all of them, as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location('run_all', BENCHMARKS / 'run_all.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_one_command_runs_all_and_writes_their_ratios(run_all, monkeypatch, tmp_path, capsys):
    started = []

    def run(script: str, options: list[str]) -> dict:
        started.append((script, options))
        return dict(step=dict(ratio=2.0, ms=5.0), bfloat16_speedup=1.5, seconds=3.0, float16_speedup=None)

    monkeypatch.setattr(run_all, '_run', run)
    monkeypatch.setattr(sys, 'argv', ['run_all.py', '--device', 'cpu', '--out', str(tmp_path / 'new/all.json')])
    run_all.main()
    written = json.loads((tmp_path / 'new/all.json').read_text())
    assert (
        written['ratios']
        == json.loads(capsys.readouterr().out)
        == dict.fromkeys(run_all.RUNS, {'step.ratio': 2.0, 'bfloat16_speedup': 1.5})
    )
    assert written['quick'] and written['device'] == 'cpu' and written['results'].keys() == run_all.RUNS.keys()
    assert [script for script, _ in started] == [script for script, _, _ in run_all.RUNS.values()]
    assert all(options[-2:] == ['--device', 'cpu'] for _, options in started)


def test_a_benchmark_that_fails_ends_the_command(run_all, capfd):
    with pytest.raises(SystemExit, match='missing.py --rows 5 failed, see above'):
        run_all._run('missing', ['--rows', '5'])
    assert "can't open file" in capfd.readouterr().err


def test_the_command_uses_options_that_its_benchmarks_have(run_all):
    for script, *options in run_all.RUNS.values():
        source = (BENCHMARKS / f'{script}.py').read_text()
        for option in re.findall(r'--[\w-]+', ' '.join(options)):
            assert f"'{option}'" in source
