"""The launch scripts on two gloo ranks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
STAGES = ('resnet10_digits_old', 'resnet10_digits_side', 'resnet10_digits_new', 'resnet10_digits')


@pytest.fixture
def launch(plain_config_environment):
    """Run a script of tools/ and return the lines it prints."""

    def run(script: str, *words: str, options: dict) -> list[str]:
        assignments = [f'{key}={value}' for key, value in options.items()]
        command = ['bash', f'tools/{script}', *words, '--cfg-options', *assignments]
        done = subprocess.run(command, cwd=ROOT, env=plain_config_environment, capture_output=True, text=True)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return done.stdout.splitlines()

    return run


@pytest.mark.slow
def test_a_life_cycle_on_two_ranks_trains_every_stage_once_and_prints_one_report(launch, digits, tmp_path):
    lines = launch('dist_train.sh', digits.config, '2', options=digits.cfg_options | dict(work_root=str(tmp_path)))
    for stage in STAGES[:3]:
        assert sum(line.endswith(f'{stage}.py: training in {tmp_path / stage}') for line in lines) == 1
    assert sum(line.startswith('| new/h(old) ') for line in lines) == 1
    assert sum(f'Report: {tmp_path}/resnet10_digits/' in line for line in lines) == 1
    for stage in STAGES:
        checkpoint = torch.load(tmp_path / stage / 'final.pth', weights_only=True)
        assert checkpoint['meta']['epochs'] == 2
        assert not any(name.startswith('module.') for name in checkpoint['state_dict'])
        (log,) = (tmp_path / stage).glob('*/vis_data/scalars.json')  # of a single run
        losses = [json.loads(line)['loss'] for line in log.read_text().splitlines() if 'loss' in line]
        assert len(losses) == 2
    metrics = json.loads((tmp_path / 'resnet10_digits/compatibility.json').read_text())
    assert metrics.keys() == digits.metrics.keys() and metrics['compatibility/num_queries'] == 719
    rows = json.loads((tmp_path / 'resnet10_digits/embeddings_train/manifest.json').read_text())['num_rows']
    assert rows == 1078


@pytest.mark.slow
def test_metrics_of_two_ranks_are_those_of_one(launch, digits, tmp_path):
    checkpoint, out = str(digits.root / 'resnet10_digits/final.pth'), tmp_path / 'metrics.json'
    words = ['--out', str(out), '--out-item', 'metrics', '--work-dir', str(tmp_path / 'work')]
    lines = launch('dist_test.sh', digits.config, checkpoint, '2', *words, options=digits.cfg_options)
    assert json.loads(out.read_text()) == pytest.approx(digits.metrics, abs=1e-6)
    assert json.loads((tmp_path / 'work/compatibility.json').read_text()) == pytest.approx(digits.metrics, abs=1e-6)
    assert sum(line.startswith('| new/h(old) ') for line in lines) == 1


@pytest.mark.slow
def test_a_dry_run_on_two_ranks_prints_one_report_and_ends_both_with_its_status(plain_config_environment, tmp_path):
    schedule = "param_scheduler=[dict(type='OneCycleLR', eta_max=0.1, total_steps=10, by_epoch=False)]"  # of 150
    command = ['bash', 'tools/dist_train.sh', 'configs/fct/resnet10_digits_old.py', '2', '--dry-run']
    command += ['--work-dir', str(tmp_path / 'work'), '--cfg-options', 'image_size=8', schedule]
    done = subprocess.run(command, cwd=ROOT, env=plain_config_environment, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr[-4000:]
    lines = done.stdout.splitlines()
    assert sum('iterations tried' in line for line in lines) == 1
    (failure,) = [line for line in lines if line.startswith('failed: ')]
    assert 'fails after iteration 11' in failure and 'rank' not in failure
    assert not (tmp_path / 'work').exists()
