"""Tests of checkpoints that mmengine writes during a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from mmengine.registry import DATASETS
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmfct.utils.checkpoint import load_checkpoint, load_state_dict


@DATASETS.register_module(force=True)
class ToyPictures(Dataset):
    """Eight random pictures with labels."""

    METAINFO = dict(classes=('a', 'b', 'c'))
    metainfo = METAINFO

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return dict(inputs=torch.full((3, 4, 4), float(index)), data_samples=index % 3)


@pytest.fixture(scope='module')
def trained(tmp_path_factory) -> Path:
    """Path of a checkpoint that mmengine's Runner wrote during a training."""
    folder = tmp_path_factory.mktemp('training')
    runner = Runner(
        model=dict(type='ToyClassifier'),
        work_dir=str(folder),
        train_dataloader=dict(
            batch_size=4,
            dataset=dict(type='ToyPictures'),
            sampler=dict(type='DefaultSampler', shuffle=True),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=1e-3)),
        param_scheduler=dict(type='CosineAnnealingLR', T_max=2),
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        custom_hooks=[dict(type='EMAHook')],
        log_level='ERROR',
        default_scope='mmengine',
        experiment_name='toy',
    )
    runner.train()
    return folder / 'epoch_2.pth'


def test_a_training_checkpoint_of_mmengine_loads_whole(trained):
    checkpoint = load_checkpoint(trained)
    history = checkpoint['message_hub']['log_scalars']['train/loss']
    assert isinstance(history, HistoryBuffer)
    assert np.isfinite(history.mean()) and history.current() == history.data[0][-1] and len(history.data[0]) == 4
    assert {'state_dict', 'optimizer', 'param_schedulers', 'meta'} <= checkpoint.keys()
    assert checkpoint['meta']['dataset_meta'] == ToyPictures.METAINFO
    expected = torch.load(trained, weights_only=False)['state_dict']
    loaded = load_state_dict(trained)
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[key], expected[key]) for key in expected)


def test_a_training_checkpoint_gives_an_encoder(trained, encoder_cfg):
    from mmfct.registry import MODELS

    encoder = MODELS.build(dict(type='mmfct.FrozenEncoder', **encoder_cfg(checkpoint=str(trained))))
    weights = load_state_dict(trained)
    torch.testing.assert_close(encoder.backbone.conv.weight, weights['backbone.conv.weight'])
    assert encoder(torch.randn(2, 3, 4, 4)).shape == (2, 4)
