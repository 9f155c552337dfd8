"""The launch scripts on two gloo ranks."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from mmfct.utils.json import without_nan

ROOT = Path(__file__).parents[1]


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
def test_missing_stages_are_trained_on_two_ranks_once_with_one_report(launch, digits, tmp_path):
    for stage in ('resnet10_digits_old', 'resnet10_digits_new'):
        shutil.copytree(digits.root / stage, tmp_path / stage)
    lines = launch('dist_train.sh', digits.config, '2', options=digits.cfg_options | dict(work_root=str(tmp_path)))
    trained = [line.rpartition(' ')[2] for line in lines if '.py: training in ' in line]
    assert trained == [str(tmp_path / stage) for stage in ('resnet10_digits_side', 'resnet10_digits')]
    assert sum(line.startswith('| new/h(old) ') for line in lines) == 1
    assert sum(f'Report: {tmp_path}/resnet10_digits/' in line for line in lines) == 1
    for folder in map(Path, trained):
        checkpoint = torch.load(folder / 'final.pth', weights_only=True)
        assert checkpoint['meta']['epochs'] == 2
        assert not any(name.startswith('module.') for name in checkpoint['state_dict'])
        (log,) = folder.glob('*/vis_data/scalars.json')  # of a single run
        losses = [json.loads(line)['loss'] for line in log.read_text().splitlines() if 'loss' in line]
        assert len(losses) == 2
    metrics = json.loads((tmp_path / 'resnet10_digits/compatibility.json').read_text())
    assert metrics.keys() == digits.metrics.keys() and metrics['compatibility/num_queries'] == 719
    rows = json.loads((tmp_path / 'resnet10_digits/embeddings_train/manifest.json').read_text())['num_rows']
    assert rows == 1078


@pytest.mark.slow
def test_ranks_are_restarted_if_one_dies_and_leave_together_if_they_are_told_to(plain_config_environment, tmp_path):
    words = ['--work-dir', str(tmp_path / 'old'), '--cfg-options', 'epochs=500', 'image_size=8']
    words += ['default_hooks.checkpoint.interval=1']
    command = ['bash', 'tools/dist_train.sh', 'configs/fct/resnet10_digits_old.py', '2', *words]
    pointer, log = tmp_path / 'old/last_checkpoint', tmp_path / 'log'

    def saved() -> int:
        found = re.search(r'epoch_(\d+)\.pth', pointer.read_text() if pointer.is_file() else '')
        return int(found[1]) if found else 0

    def wait_for_an_epoch_after(epoch: int) -> None:
        while saved() <= epoch and torchrun.poll() is None:
            time.sleep(0.1)
        assert torchrun.poll() is None, log.read_text()[-4000:]

    with (
        log.open('w') as output,
        subprocess.Popen(command, cwd=ROOT, env=plain_config_environment, stdout=output, stderr=output) as torchrun,
    ):
        wait_for_an_epoch_after(0)
        ranks = Path(f'/proc/{torchrun.pid}/task/{torchrun.pid}/children').read_text().split()
        os.kill(int(ranks[-1]), signal.SIGKILL)
        while len(list((tmp_path / 'old').glob('*/vis_data'))) < 2 and torchrun.poll() is None:
            time.sleep(0.1)
        before = saved()
        wait_for_an_epoch_after(before)
        torchrun.terminate()
        torchrun.wait()
    text = log.read_text()
    assert torchrun.returncode != 0
    assert re.findall(r'told to terminate: epoch (\d+) is saved', text) == [str(saved())], text[-4000:]
    assert saved() > before > 0
    first, second = sorted((tmp_path / 'old').glob('*/vis_data/scalars.json'))
    last = [json.loads(file.read_text().splitlines()[0])['epoch'] for file in (first, second)]
    assert last[0] == 1 and last[1] > 1  # it was resumed


@pytest.mark.slow
def test_metrics_of_two_ranks_are_those_of_one(launch, digits, tmp_path):
    checkpoint, out = str(digits.root / 'resnet10_digits/final.pth'), tmp_path / 'metrics.json'
    words = ['--out', str(out), '--out-item', 'metrics', '--work-dir', str(tmp_path / 'work')]
    lines = launch('dist_test.sh', digits.config, checkpoint, '2', *words, options=digits.cfg_options)
    assert json.loads(out.read_text()) == pytest.approx(digits.metrics, abs=1e-6, nan_ok=True)
    report = json.loads((tmp_path / 'work/compatibility.json').read_text())
    assert report == pytest.approx(without_nan(digits.metrics), abs=1e-6)
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
