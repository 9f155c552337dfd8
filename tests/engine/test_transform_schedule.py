"""The recipe of h, run by mmengine: rates per epoch, warm-up, cosine, and the switch to frozen statistics."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.hooks import Hook

import mmfct

SCHEDULES = Path(mmfct.__file__).parents[1] / 'configs/_base_/schedules'


class RateRecorder(Hook):
    """Keeps the learning rate and the mode of BN of every iteration."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.rates = []
        self.modes = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])
        self.modes.append(runner.model.head[1].training)


def test_schedule_is_that_of_the_paper(build_runner):
    config = Config.fromfile(SCHEDULES / 'transform_adam.py')
    epochs = 80
    assert config.train_cfg.max_epochs == epochs
    recorder = RateRecorder()
    runner = build_runner(
        optim_wrapper=config.optim_wrapper,
        param_scheduler=config.param_scheduler,
        train_cfg=config.train_cfg,
        custom_hooks=[*config.custom_hooks, recorder],
        batch_size=4,  # two iterations per epoch: the rate must not move between them
    )
    runner.train()
    lr = 5e-4
    expected = [lr * (epoch + 1) / 5 for epoch in range(5)]
    expected += [lr * 0.5 * (1 + math.cos(math.pi * (epoch - 5) / (epochs - 5))) for epoch in range(5, epochs)]
    assert recorder.rates == pytest.approx([rate for rate in expected for _ in range(2)], rel=1e-9)
    assert recorder.modes == [True] * epochs + [False] * epochs  # two iterations per epoch
    optimizer = runner.optim_wrapper.optimizer
    assert type(optimizer).__name__ == 'Adam'
    assert optimizer.param_groups[0]['weight_decay'] == 3.0517578125e-5
