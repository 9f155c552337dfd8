"""The epoch that weightings see."""

from __future__ import annotations

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement, PixelData
from torch import nn
from torch.utils.data import Dataset

from mmfct.registry import MODELS


class Epochs(Hook):
    """Notes what the message hub says."""

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


class Maps(Dataset):
    """Images with a depth map; the last ones have larger depths."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> dict:
        generator = torch.Generator().manual_seed(index)
        sample = BaseDataElement()
        sample.set_data(dict(gt_depth_map=PixelData(data=torch.rand(1, 4, 5, generator=generator) + index + 1)))
        return dict(inputs=torch.randn(3, 4, 5, generator=generator), data_samples=sample)


class Same(nn.Module):
    """A backbone whose features are the image."""

    def forward(self, inputs: torch.Tensor) -> tuple[torch.Tensor]:
        return (inputs,)


class Weights(Hook):
    """Notes the weights of the tasks in every step."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
        self.seen.append([float(outputs[f'{task}_weight']) for task in 'ab'])


def dwa_weights(work_dir, loop: dict, *hooks: dict) -> list[list[float]]:
    """Train for four epochs of two steps, and return the weights of dynamic weight average in each step."""
    MODELS.register_module('SameFeatures', module=Same, force=True)
    options = dict(in_channels=3, channels=3, num_convs=0, concat_input=False, dropout_ratio=0, num_classes=1)
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    head = dict(type='mmseg.FCNHead', threshold=0.0, loss_decode=loss, **options)
    model = MODELS.build(
        dict(
            type='mmfct.MultiTaskSegmentor',
            data_preprocessor=dict(type='ImgDataPreprocessor'),
            backbone=dict(type='mmfct.SameFeatures'),
            tasks={
                name: dict(type='mmfct.DepthTask', head=head, error=error)
                for name, error in zip('ab', ('l1', 'l2'), strict=True)
            },
            weighting=dict(type='mmfct.DynamicWeightAverage'),
        )
    )
    weights = Weights()
    runner = Runner(
        model=model,
        experiment_name=work_dir.name,
        work_dir=str(work_dir),
        train_dataloader=dict(
            batch_size=2,
            dataset=Maps(),
            sampler=dict(type='DefaultSampler' if loop['by_epoch'] else 'InfiniteSampler', shuffle=False),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=loop,
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.02)),
        custom_hooks=[*hooks, weights],
        default_hooks=dict(logger=None, timer=None, checkpoint=None),
        default_scope='mmengine',
        log_level='ERROR',
        randomness=dict(seed=0),
    )
    runner.train()
    return weights.seen


def test_dwa_has_the_same_weights_in_an_iteration_based_training(tmp_path):
    by_iteration, hook = dict(by_epoch=False, max_iters=8, val_interval=9), dict(type='mmfct.DataEpochHook')
    expected = dwa_weights(tmp_path / 'epochs', dict(by_epoch=True, max_epochs=4))
    found = dwa_weights(tmp_path / 'iterations', by_iteration, hook)
    assert torch.tensor(found).allclose(torch.tensor(expected))
    assert found[:4] == [[1, 1]] * 4 and all(abs(a - 1) > 0.01 for a, _ in found[4:])
    assert dwa_weights(tmp_path / 'one_epoch', by_iteration) == [[1, 1]] * 8
