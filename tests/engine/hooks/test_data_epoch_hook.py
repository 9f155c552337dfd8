"""The epoch that weightings see."""

from __future__ import annotations

import pytest
import torch
from mmengine.hooks import Hook

from mmfct.registry import MODELS


class Epochs(Hook):
    """Notes what the message hub says, and what weights there are."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.seen.append(runner.message_hub.get_info('data_epoch'))


@pytest.mark.parametrize(
    ('loop', 'epochs'),
    [
        (dict(by_epoch=True, max_epochs=3), [0, 0, 1, 1, 2, 2]),
        (dict(by_epoch=False, max_iters=5, val_interval=9), [0, 0, 1, 1, 2]),
    ],
)
def test_the_number_of_rounds_through_the_data(toy, tmp_path, loop, epochs):
    hook = Epochs()
    sampler = dict(type='DefaultSampler' if loop['by_epoch'] else 'InfiniteSampler', shuffle=False)
    runner = toy.make_runner(
        str(tmp_path),
        size=8,
        batch_size=4,
        train_cfg=loop,
        sampler=sampler,
        hooks=[dict(type='mmfct.DataEpochHook'), hook],
    )
    runner.train()
    assert hook.seen == epochs


def test_dwa_in_an_iteration_based_training(tmp_path):
    """Its weights are those that the same losses give epoch by epoch."""
    from mmengine.logging import MessageHub

    from mmfct.models.multi_task_segmentor import _current_epoch

    weighting = MODELS.build(dict(type='mmfct.DynamicWeightAverage', forms=dict(a='laplace', b='laplace')))
    hub = MessageHub.get_current_instance()
    hub.update_info_dict(dict(epoch=0, max_epochs=1))
    weights = []
    for epoch, losses in enumerate([(4.0, 4.0), (2.0, 4.0), (1.0, 1.0)]):
        hub.update_info('data_epoch', epoch)
        weighting.set_epoch(_current_epoch(weighting))
        weights.append(weighting(torch.tensor([losses]), torch.ones(1, 2, dtype=torch.bool))[1])
    assert weights[0].tolist() == weights[1].tolist() == [1, 1]
    torch.testing.assert_close(weights[2], 2 * (torch.tensor([0.5, 1.0]) / 2).softmax(0))
