"""Resumed trainings draw what uninterrupted ones draw."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.hooks import Hook

from mmfct.utils.checkpoint import only_weights

LOOPS = dict(
    epochs=dict(
        train_cfg=dict(by_epoch=True, max_epochs=4),
        sampler=dict(shuffle=True),
        default_hooks=dict(logger=None, timer=None, checkpoint=dict(type='CheckpointHook', interval=1)),
    ),
    iterations=dict(
        train_cfg=dict(by_epoch=False, max_iters=9, val_interval=2),
        sampler=dict(type='InfiniteSampler', shuffle=True),
        default_hooks=dict(
            logger=None, timer=None, checkpoint=dict(type='CheckpointHook', interval=2, by_epoch=False)
        ),
    ),
)


class Stop(Hook):
    """Ends a training in its sixth iteration, as a power cut would."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 5:
            raise KeyboardInterrupt


LAST = dict(epochs='epoch_1.pth', iterations='iter_4.pth')  # the last checkpoint then


class Count(BaseMetric):
    """Counts samples."""

    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return dict(count=len(results))


@pytest.fixture
def train(toy, tmp_path):
    """Function that trains with a random augmentation, and returns the weights of network and instances."""

    class Noisy(toy.ToyInstances):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            noise = torch.rand(3) + random.random() + torch.from_numpy(np.random.rand(3)).float()
            return item | dict(inputs=item['inputs'] + noise)

    def run(loop: str, *, work: str, hooks: tuple = (), load_from: str | None = None, validate: bool = True) -> Any:
        options = dict(LOOPS[loop], load_from=load_from, resume=load_from is not None)
        if validate:
            loader = dict(batch_size=4, dataset=Noisy(), collate_fn=dict(type='default_collate'))
            loader['sampler'] = dict(type='DefaultSampler', shuffle=False)
            options |= dict(val_dataloader=loader, val_cfg=dict(), val_evaluator=Evaluator([Count()]))
        hooks = (dict(type='mmfct.RandomStateHook'), *hooks)
        runner = toy.make_runner(str(tmp_path / work), dataset=Noisy(), hooks=hooks, **options)
        with only_weights():
            runner.train()
        return toy.results(runner)

    return run


@pytest.mark.parametrize('loop', LOOPS)
def test_a_resumed_training_ends_with_the_same_bits(train, tmp_path, loop):
    whole = train(loop, work='whole')
    with pytest.raises(KeyboardInterrupt):
        train(loop, work='parts', hooks=(Stop(),))
    resumed = train(loop, work='parts', load_from=str(tmp_path / 'parts' / LAST[loop]))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_validation_changes_no_weights(train):
    with_val, without = train('epochs', work='with_val'), train('epochs', work='without', validate=False)
    assert all(torch.equal(value, without[name]) for name, value in with_val.items())


def test_without_states_in_the_checkpoint_a_training_is_resumed_as_by_mmengine(train, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train('epochs', work='parts', hooks=(Stop(),))
    file = tmp_path / 'parts' / LAST['epochs']
    with only_weights():
        checkpoint = torch.load(file, weights_only=True)
    assert checkpoint.pop('random_state').keys() == {'python', 'numpy', 'torch', 'cuda'}
    torch.save(checkpoint, file)
    train('epochs', work='parts', load_from=str(file))
