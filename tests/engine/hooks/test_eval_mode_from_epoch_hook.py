"""Tests of training with frozen BN statistics, in mmengine's own loops."""

from __future__ import annotations

import copy

import pytest
import torch
from mmengine.hooks import Hook

from mmfct.engine.hooks import eval_mode_from_epoch_hook


class Recorder(Hook):
    """Keeps, after every iteration, the epoch, the modes and the weights."""

    priority = 'VERY_LOW'

    def __init__(self):
        self.rows = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        model = runner.model
        weights = copy.deepcopy(model.state_dict())
        self.rows.append((runner.epoch, model.stem[1].training, model.head[1].training, weights))

    def epochs(self, name: str) -> list[list]:
        """Values of one entry of the state dict, by epoch."""
        values: dict[int, list] = {}
        for epoch, *_, weights in self.rows:
            values.setdefault(epoch, []).append(weights[name].tolist())
        return list(values.values())


def moves(values: list[list]) -> list[bool]:
    """Whether a value changes within each epoch, or from the end of the one before."""
    lasts = [None, *(epoch[-1] for epoch in values)]
    return [
        any(value != epoch[0] for value in epoch) or epoch[0] != last
        for epoch, last in zip(values, lasts, strict=False)
    ]


@pytest.mark.parametrize('validate', [False, True])
@pytest.mark.parametrize('epoch', [0, 2, 9])
def test_statistics_stay_from_the_epoch_on_while_weights_move(build_runner, validate, epoch):
    # Validation calls `train()` on the whole model when it is over, after `before_train_epoch`.
    recorder = Recorder()
    hook = dict(type='mmfct.EvalModeFromEpochHook', epoch=epoch)
    runner = build_runner(4, validate=validate, custom_hooks=[hook, recorder])
    runner.train()
    modes = [(row[0], row[1], row[2]) for row in recorder.rows]
    assert modes == [(e, True, e < epoch) for e in range(4) for _ in range(2)]
    statistics = moves(recorder.epochs('head.1.running_mean'))[1:]
    assert statistics == [e < epoch for e in range(1, 4)]
    assert moves(recorder.epochs('head.1.running_var'))[1:] == statistics
    for name in ('head.0.weight', 'head.1.weight', 'head.2.bias', 'stem.1.running_mean'):
        assert moves(recorder.epochs(name)) == [True] * 4, name
    if epoch == 0:
        assert recorder.rows[-1][3]['head.1.running_mean'].eq(0).all()
        assert recorder.rows[-1][3]['head.1.num_batches_tracked'] == 0


def test_running_statistics_are_used_in_the_forward_pass(build_runner):
    # With batch statistics the outputs of BN have mean 0; with the running ones of a fresh model they do not.
    means = []
    runner = build_runner(1, custom_hooks=[dict(type='mmfct.EvalModeFromEpochHook', epoch=0, module='stem')])
    runner.model.stem[1].register_forward_hook(lambda module, inputs, output: means.append(output.mean(0).abs().max()))
    runner.train()
    assert min(means) > 0.5


def test_resuming_in_the_second_half_keeps_the_mode(build_runner):
    recorder = Recorder()
    hooks = [dict(type='mmfct.EvalModeFromEpochHook', epoch=1), recorder]
    first = build_runner(2, default_hooks=dict(logger=None, checkpoint=dict(type='CheckpointHook', interval=1)))
    first.train()
    runner = build_runner(4, custom_hooks=hooks, resume=True)
    runner.train()
    assert {row[0] for row in recorder.rows} == {2, 3}
    assert moves(recorder.epochs('head.1.running_mean')) == [True, False]  # True: nothing before to compare with
    assert not any(row[2] for row in recorder.rows)


def test_an_iteration_based_training_counts_rounds_through_the_data(build_runner):
    # Two batches are a round; mmengine itself counts no epochs here.
    recorder = Recorder()
    runner = build_runner(
        1,
        custom_hooks=[dict(type='mmfct.EvalModeFromEpochHook', epoch=1), recorder],
        train_cfg=dict(by_epoch=False, max_iters=5),
    )
    runner.train()
    assert [row[2] for row in recorder.rows] == [True, True, False, False, False]


def test_the_whole_model(build_runner):
    recorder = Recorder()
    runner = build_runner(1, custom_hooks=[dict(type='mmfct.EvalModeFromEpochHook', epoch=0, module=''), recorder])
    runner.train()
    assert [row[1:3] for row in recorder.rows] == [(False, False)] * 2


def test_the_result_is_that_of_a_plain_loop(build_runner):
    runner = build_runner(4, custom_hooks=[dict(type='mmfct.EvalModeFromEpochHook', epoch=2)])
    model = copy.deepcopy(runner.model)
    runner.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    for epoch in range(4):
        model.train()
        if epoch >= 2:
            model.head.eval()
        for batch in runner.train_dataloader:
            optimizer.zero_grad()
            model(batch['inputs'], batch['data_samples'], mode='loss')['loss'].backward()
            optimizer.step()
    for name, value in model.state_dict().items():
        assert torch.equal(value, runner.model.state_dict()[name]), name


@pytest.mark.parametrize('module', ['heads', 'head.7', 'stem.0.weight'])
def test_a_wrong_name_is_noticed_before_training(build_runner, module):
    recorder = Recorder()
    runner = build_runner(1, custom_hooks=[dict(type='mmfct.EvalModeFromEpochHook', epoch=5, module=module), recorder])
    with pytest.raises(ValueError, match=f"`module` must name a submodule of ToyModel, got '{module}'"):
        runner.train()
    assert recorder.rows == []


def test_ranks_take_the_mean_of_their_statistics(build_runner, monkeypatch):
    taken = []

    def average(buffers, op):
        taken.append((op, sorted(tuple(buffer.shape) for buffer in buffers)))
        for buffer in buffers:
            buffer.fill_(3)

    monkeypatch.setattr(eval_mode_from_epoch_hook, 'get_world_size', lambda: 2)
    monkeypatch.setattr(eval_mode_from_epoch_hook, 'all_reduce_params', average)
    recorder = Recorder()
    runner = build_runner(3, custom_hooks=[dict(type='mmfct.EvalModeFromEpochHook', epoch=1), recorder])
    runner.train()
    assert taken == [('mean', [(4,), (4,)])] * 2  # mean and variance, when each epoch in evaluation mode begins
    assert recorder.rows[-1][3]['head.1.running_var'].tolist() == [3] * 4
    assert recorder.rows[1][3]['head.1.running_var'].tolist() != [3] * 4
