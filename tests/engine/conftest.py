"""A tiny model and data set, and a Runner for them."""

from __future__ import annotations

import itertools

import pytest
import torch
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset


class ToyModel(BaseModel):
    """A head with BN behind a layer without; the loss pulls both away from zero."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
        self.head = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        outputs = self.head(self.stem(inputs))
        if mode == 'loss':
            return dict(loss=(outputs - data_samples[:, None]).square().mean())
        return list(outputs) if mode == 'predict' else outputs


class ToyData(Dataset):
    """Inputs far from mean 0 and variance 1, so that running statistics move."""

    metainfo: dict = {}

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return dict(inputs=5 + 3 * torch.randn(3, generator=generator), data_samples=float(index))


class ToyMetric(BaseMetric):
    """Counts samples."""

    default_prefix = 'toy'

    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return dict(count=len(results))


@pytest.fixture
def build_runner(tmp_path):
    """Function that builds a Runner of the toy model for some epochs, with any other arguments."""

    numbers = itertools.count()

    def build(epochs: int = 1, *, validate: bool = False, batch_size: int = 4, **options) -> Runner:
        dataloader = dict(
            batch_size=batch_size,
            dataset=ToyData(),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        )
        if validate:
            options.update(val_dataloader=dict(dataloader), val_cfg=dict(), val_evaluator=Evaluator([ToyMetric()]))
        options = (
            dict(
                optim_wrapper=dict(optimizer=dict(type='SGD', lr=1e-3)),
                train_cfg=dict(by_epoch=True, max_epochs=epochs),
                default_hooks=dict(logger=None, checkpoint=None, timer=None),
            )
            | options
        )
        # A name of its own, or mmengine hands out the logger of a Runner built in the same second.
        return Runner(
            experiment_name=f'toy{next(numbers)}',
            model=ToyModel(),
            work_dir=str(tmp_path / 'work'),
            train_dataloader=dataloader,
            default_scope='mmengine',
            log_level='ERROR',
            **options,
        )

    return build
