"""The classification configs of ITP: they train in small, and that of CIFAR-100 has the published recipe."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS
from mmengine.runner import Runner

from mmfct.apis.find_corrupt_labels import find_corrupt_labels
from mmfct.apis.training.config import load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train

ITP = Path(__file__).parents[2] / 'configs/itp'
DATA = ('resnet10_digits', 'resnet10_omniglot', 'wrn28_cifar100')
WEIGHTINGS = ('plain', 'data_parameters', 'itp', 'itp_gradient')
TINY = {
    'resnet10_digits': {'image_size': 8, 'train_dataloader.dataset.dataset.indices': 70, 'warmup_epochs': 1},
    'resnet10_omniglot': {'image_size': 8, 'warmup_epochs': 1},  # the first images are of one alphabet
    'wrn28_cifar100': {'depth': 10, 'widen_factor': 1, 'num_workers': 0, 'batch_size': 10},
}
KEYS = dict(wrn28_cifar100='sample_idx')  # its images have no files
SIZES = dict(resnet10_digits=70, resnet10_omniglot=484, wrn28_cifar100=16)


def config_file(name: str) -> str:
    return str(ITP / f'{name}_noisy.py')


@pytest.fixture
def run(request, tmp_path, plain_config_text):
    """Function that trains the miniature of a config for two epochs; returns its options and its metrics."""

    def start(name: str, **options) -> tuple[dict, dict[str, float]]:
        options |= TINY[name] | dict(epochs=2, log_level='ERROR', work_dir=str(tmp_path))
        if not name.endswith('digits'):
            options['data_root'] = request.getfixturevalue(f'{name.split("_")[1]}_root')
        return options, train(config_file(name), TrainingOptions(cfg_options=dict(options)))

    return start


@pytest.mark.parametrize('weighting', WEIGHTINGS)
@pytest.mark.parametrize('name', DATA)
def test_every_weighting_trains(run, name, weighting, tmp_path):
    options, metrics = run(name, weighting=weighting)
    assert 0 <= metrics['accuracy/top1'] <= 100
    checkpoint = torch.load(tmp_path / 'final.pth', weights_only=True)
    assert ('instance_task_weights' in checkpoint) == (weighting != 'plain')
    if weighting == 'plain':
        return
    table = checkpoint['instance_task_weights']
    learned = table['contrast_sum' if weighting == 'itp' else 'deviation']
    assert learned.shape == (SIZES[name], 1) and learned.ne(0).all()
    assert table['visits'].eq(2).all()  # every image was met in every epoch
    limit = dict(itp=1.0, itp_gradient=2 * math.log(20), data_parameters=math.log(20))[weighting]
    assert learned.abs().max() <= limit + 1e-6
    detection = find_corrupt_labels(config_file(name), str(tmp_path / 'final.pth'), cfg_options=options, top=0)
    assert detection['label']['labels'] == SIZES[name]
    assert detection['label']['corrupted'] == pytest.approx(0.4 * SIZES[name], rel=0.5)  # some have their own class


def test_temperatures_held_at_one_train_as_the_plain_loss(run, tmp_path):
    results = []
    for options in (dict(weighting='plain'), dict(weighting='data_parameters', instance_lr=1e-12)):
        run('resnet10_digits', **options)
        results.append(torch.load(tmp_path / 'final.pth', weights_only=True))
    plain, held = (result['state_dict'] for result in results)
    for name, value in plain.items():
        torch.testing.assert_close(held[name], value, rtol=1e-3, atol=1e-4)
    table = results[1]['instance_task_weights']
    assert table['deviation'].abs().max() < 1e-9 and table['loss_sum'].gt(0).all()


@pytest.mark.parametrize('name', DATA)
def test_a_stock_runner_takes_the_config(name, request, tmp_path, plain_config_text):
    config = Config.fromfile(config_file(name))
    config.work_dir, config.log_level = str(tmp_path), 'ERROR'
    if not name.endswith('digits'):
        root = request.getfixturevalue(f'{name.split("_")[1]}_root')
        config.train_dataloader.dataset.dataset.data_root = config.test_dataloader.dataset.data_root = root
    for loader in (config.train_dataloader, config.test_dataloader):
        loader.update(num_workers=0, batch_size=2)
    config.model.backbone = dict(type='mmfct.WideResNet', depth=10, widen_factor=1)
    config.model.backbone.in_channels = len(config.model.data_preprocessor.mean)
    config.model.head.in_channels = 64
    runner = Runner.from_cfg(config)
    assert len(runner.train_dataloader.dataset.corrupted['label']) == len(runner.train_dataloader.dataset)
    assert next(iter(runner.test_dataloader))['data_samples'][0].gt_label.numel() == 1


@pytest.mark.parametrize('name', DATA)
def test_variables_reach_what_is_computed_from_them(name):
    for weighting in WEIGHTINGS:
        options = dict(weighting=weighting, instance_lr=0.3, instance_momentum=0.5, corrupted=0.2, seed=4)
        config = load_config(config_file(name), options)
        assert config.work_dir == f'work_dirs/{name}_noisy_{weighting}'
        assert config.model.head.loss == config.losses[weighting]
        hooks = [(hook.get('lr'), hook.get('momentum')) for hook in config.custom_hooks]
        assert hooks == dict(plain=[], itp=[(None, None)]).get(weighting, [(0.3, 0.5)])  # agreement has no rate
        assert all(hook.get('key') == KEYS.get(name) for hook in config.custom_hooks)
        second = load_config(config_file(name), dict(options, suspects='found'))
        assert [hook.suspects for hook in second.custom_hooks] == ['found']  # those without weights refuse it
        images = config.train_dataloader.dataset
        assert (images.fractions.label, images.seed, config.randomness.seed) == (0.2, 4, 4)


def test_published_recipe():
    config = Config.fromfile(config_file('wrn28_cifar100'))
    assert config.model.backbone == dict(type='mmfct.WideResNet', depth=28, widen_factor=10)
    assert config.model.head == dict(
        type='LinearClsHead', num_classes=100, in_channels=640, loss=config.losses.data_parameters
    )
    assert config.plain_loss == dict(type='CrossEntropyLoss', loss_weight=1.0)
    assert config.optim_wrapper == dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=5e-4))
    (hook,) = config.custom_hooks
    assert (hook.momentum, hook.decay, hook.max_factor) == (0.9, 0.0, 20.0)
    loader = config.train_dataloader
    # The published rate is for the gradient of the mean over the batch.
    assert loader.batch_size == 128 and hook.lr * loader.batch_size == pytest.approx(0.2)
    assert (loader.dataset.type, loader.dataset.fractions) == ('mmfct.CorruptLabels', dict(label=0.4))
    crop, flip, _ = loader.dataset.dataset.pipeline
    assert crop == dict(type='RandomCrop', crop_size=32, padding=4)
    assert (flip.type, flip.prob) == ('RandomFlip', 0.5)
    assert loader.dataset.dataset.type == config.test_dataloader.dataset.type == 'CIFAR100'
    assert config.train_cfg == dict(by_epoch=True, max_epochs=84)


def test_published_rates():
    config = Config.fromfile(config_file('wrn28_cifar100'))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.optim_wrapper.optimizer.lr)
    schedulers = [PARAM_SCHEDULERS.build({**entry, 'optimizer': optimizer}) for entry in config.param_scheduler]
    rates = []
    for _ in range(170):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    assert rates == pytest.approx([0.1] * 80 + [0.01] * 20 + [0.001] * 60 + [0.0001] * 10)
