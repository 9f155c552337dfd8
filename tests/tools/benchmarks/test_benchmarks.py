"""Every benchmark runs, on problems so small that its numbers mean nothing."""

from __future__ import annotations

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
    'learn_transform': (
        '--pairs 400 --old-dims 16 --side-dims 8 --new-dims 12 --whole',
        {'ridge_ratio', 'closed_forms_ratio', 'whole_ratio', 'chosen'},
    ),
    'retrieval_metrics': (
        '--rows 60 --dims 4 --classes 5 --repeats 1 --reference-rows 20',
        {'metric_seconds', 'ratio', 'peak_megabytes_above_inputs', 'speed_up_over_sorting'},
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
HELPERS = {'random_encoder'}


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
