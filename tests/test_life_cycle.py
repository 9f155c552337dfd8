"""FCT's life cycle on the digits when it is killed, resumed or made by hand."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train
from mmfct.cli import main

ROOT = Path(__file__).parents[1]
TINY = dict(epochs=2, side_epochs=2, transform_epochs=2, warmup_epochs=1, num_views=1, image_size=8)
LONG = 12

# A classifier that is trained after the old model, which takes longer than an inherited option would say.
MAIN = f"""
_base_ = 'resnet10_digits_new.py'
work_root = 'work_dirs'
work_dir = f'{{work_root}}/main'
prerequisites = [
    dict(config='resnet10_digits_old.py', checkpoint=f'{{work_root}}/old/final.pth', cfg_options=dict(epochs={LONG})),
]
"""


@pytest.fixture
def configs(tmp_path) -> Path:
    """The configs of the project, with a checkpoint after every epoch."""
    shutil.copytree(ROOT / 'configs', tmp_path / 'configs')
    runtime = tmp_path / 'configs/_base_/default_runtime.py'
    text = runtime.read_text()
    assert text.count("type='CheckpointHook', interval=10") == 1
    runtime.write_text(text.replace("type='CheckpointHook', interval=10", "type='CheckpointHook', interval=1"))
    return tmp_path / 'configs/fct'


def trained_epochs(folder: Path) -> list[list[int]]:
    """Epochs that each run in a work directory logged, from 1."""
    logs = sorted(folder.glob('*/vis_data/scalars.json'))
    return [[json.loads(line)['epoch'] for line in log.read_text().splitlines()] for log in logs]


@pytest.mark.slow
def test_a_killed_prerequisite_is_resumed(configs, tmp_path, plain_config_text, plain_config_environment):
    (configs / 'main.py').write_text(MAIN)
    options = TINY | dict(work_root=str(tmp_path / 'work'))
    words = ['--cfg-options', *(f'{name}={value}' for name, value in options.items())]
    command = [sys.executable, str(ROOT / 'tools/train.py'), str(configs / 'main.py'), *words]
    log = tmp_path / 'log'
    with (
        log.open('w') as output,
        subprocess.Popen(command, stdout=output, stderr=output, cwd=tmp_path, env=plain_config_environment) as process,
    ):
        pointer = tmp_path / 'work/old/last_checkpoint'
        while not (pointer.is_file() and pointer.read_text()) and process.poll() is None:
            time.sleep(0.005)
        process.kill()
    assert process.returncode == -9, log.read_text()[-2000:]
    assert not (tmp_path / 'work/old/final.pth').exists() and not (tmp_path / 'work/main').exists()
    done = int(re.search(r'epoch_(\d+)\.pth$', pointer.read_text())[1])

    train(str(configs / 'main.py'), TrainingOptions(cfg_options=options))
    first, second = trained_epochs(tmp_path / 'work/old')
    assert first[0] == 1 and second == list(range(done + 1, LONG + 1))
    meta = torch.load(tmp_path / 'work/old/final.pth', weights_only=True)['meta']
    assert meta['epochs'] == meta['config']['train_cfg']['max_epochs'] == LONG  # the option of the entry
    (folder,) = trained_epochs(tmp_path / 'work/main')
    assert folder == [1, 2]

    alone = options | dict(work_root=str(tmp_path / 'alone'), epochs=LONG)
    train(
        str(configs / 'resnet10_digits_old.py'),
        TrainingOptions(work_dir=str(tmp_path / 'alone/old'), cfg_options=alone),
    )
    weights = [
        torch.load(tmp_path / name / 'old/final.pth', weights_only=True)['state_dict'] for name in ('work', 'alone')
    ]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())


def test_a_training_that_is_killed_while_it_saves_can_be_resumed(configs, tmp_path, monkeypatch, plain_config_text):
    save = Runner.save_checkpoint

    def killed(self, *args, **kwargs):
        if self.epoch == 2:
            raise KeyboardInterrupt
        save(self, *args, **kwargs)

    config = str(configs / 'resnet10_digits_old.py')
    options = dict(work_dir=str(tmp_path / 'old'), cfg_options=dict(epochs=4, warmup_epochs=1, image_size=8))
    monkeypatch.setattr(Runner, 'save_checkpoint', killed)
    with pytest.raises(KeyboardInterrupt):
        train(config, TrainingOptions(**options))
    assert not (tmp_path / 'old/final.pth').exists()
    monkeypatch.setattr(Runner, 'save_checkpoint', save)
    time.sleep(1)  # mmengine names the folder of a run by the second
    train(config, TrainingOptions(resume='auto', **options))
    assert trained_epochs(tmp_path / 'old') == [[1, 2, 3], [3, 4]]
    assert torch.load(tmp_path / 'old/final.pth', weights_only=True)['meta']['epochs'] == 4


def test_the_command_for_a_missing_checkpoint_makes_it(digits, tmp_path, monkeypatch):
    options = TrainingOptions(cfg_options=digits.cfg_options | dict(work_root=str(tmp_path)))
    missing = tmp_path / 'resnet10_digits_old/final.pth'
    with pytest.raises(FileNotFoundError, match=re.escape(str(missing))) as caught:
        train(digits.config, options, with_prerequisites=False)
    words = shlex.split(re.search(r'make it with `(.*)`', str(caught.value))[1])
    assert words[0] == 'mmfct'
    monkeypatch.setenv('LOCAL_RANK', '0')
    assert main(words[1:]) == 0
    assert missing.is_file()
    with pytest.raises(FileNotFoundError, match=r'resnet10_digits_side/final\.pth'):
        train(digits.config, options, with_prerequisites=False)
    ours = torch.load(digits.root / 'resnet10_digits_old/final.pth', weights_only=True)
    theirs = torch.load(missing, weights_only=True)
    assert ours['meta'].pop('cfg') and theirs['meta'].pop('cfg')  # the folders and options differ
    assert ours['meta'] == theirs['meta']
    torch.testing.assert_close(ours['state_dict'], theirs['state_dict'])
