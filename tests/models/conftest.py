"""Tiny models that stand in for those of the hosts."""

from __future__ import annotations

import itertools

import pytest
import torch
from mmengine.model import BaseModel, BaseModule
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional as F


@MODELS.register_module(force=True)
class ToyBackbone(BaseModule):
    """One stage of convolution, BN and ReLU, which counts how often it runs."""

    calls = 0

    def __init__(self, channels: int = 4, init_cfg=None):
        super().__init__(init_cfg)
        self.conv = nn.Conv2d(3, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, images):
        ToyBackbone.calls += 1
        return (F.relu(self.bn(self.conv(images))),)


@MODELS.register_module(force=True)
class ToyClassifier(BaseModel):
    """A model as a host trains it: backbone, head and data preprocessor."""

    def __init__(self, channels: int = 4, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.backbone = ToyBackbone(channels)
        self.head = nn.ModuleDict(dict(fc=nn.Linear(channels, 3)))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        logits = self.head['fc'](self.backbone(inputs)[0].mean((2, 3)))
        return dict(loss=F.cross_entropy(logits, data_samples)) if mode == 'loss' else logits


def _pool(channels: int = 4) -> dict:
    return dict(type='mmfct.SideInfoNeck', in_channels=channels, out_channels=channels)


@pytest.fixture
def encoder_cfg(save_checkpoint):
    """Function that makes the config of an encoder with the given width and any other entries.

    If neither a checkpoint nor a backbone is given, a checkpoint with random weights is made.
    """
    number = itertools.count()

    def make(channels: int = 4, **entries) -> dict:
        if not {'checkpoint', 'backbone'} & entries.keys():
            entries['checkpoint'], _ = save_checkpoint(f'random{next(number)}.pth', channels)
        return dict(backbone=dict(type='ToyBackbone', channels=channels), neck=_pool(channels)) | entries

    return make


@pytest.fixture
def save_checkpoint(tmp_path):
    """Function that saves a model with random weights and BN statistics and returns path and model."""

    def save(name: str = 'toy.pth', channels: int = 4) -> tuple[str, ToyClassifier]:
        model = ToyClassifier(channels)
        model.backbone.bn.running_mean.normal_()
        model.backbone.bn.running_var.uniform_(0.5, 2)
        path = tmp_path / name
        torch.save(dict(state_dict=model.state_dict(), meta=dict(epoch=1)), path)
        return str(path), model.eval()

    return save


@pytest.fixture
def backbone_calls():
    """Function that returns how often toy backbones ran since the test began."""
    start = ToyBackbone.calls
    return lambda: ToyBackbone.calls - start
