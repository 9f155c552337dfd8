"""The CityScapes configs of ITP: ordinary configs of mmengine, with the numbers of the published protocols."""

from __future__ import annotations

import json
import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner

from mmfct.apis.training.config import load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train

ITP = Path(__file__).parents[2] / 'configs/itp'
NETWORKS = ('deeplabv3_r50', 'segnet_mtan')
HOOKS = ['mmfct.InstanceTaskWeightHook']
RATES = dict(itp=[None], itp_instance=[None], itp_gradient=[0.3])  # agreement has none
METRICS = {'aAcc', 'mIoU', 'mAcc', 'depth/abs_error', 'depth/rel_error'}
TINY = {
    'image_size': (32, 64),
    'batch_size': 2,
    'num_workers': 0,
    'epochs': 2,
    'pretrained': None,
    'base_channels': 4,
    'head_channels': 8,
    'filters': (4, 6, 8, 10, 10),
}


@pytest.fixture(scope='module')
def data_root(tmp_path_factory) -> str:
    """Five training and two validation images in the pre-processed form."""
    write = runpy.run_path(str(Path(__file__).parents[1] / 'datasets/cityscapes_files.py'))['write_npy']
    return write(tmp_path_factory.mktemp('cityscapes_npy'), num_train=5, num_val=2, size=(32, 64))


@pytest.fixture
def run(data_root, tmp_path, plain_config_text):
    """Function that trains the miniature of a config; returns its metrics and the logged numbers by step."""

    def start(network: str, **options) -> tuple[dict, list[dict]]:
        variables = ('base_channels', 'head_channels', 'pretrained') if network == 'segnet_mtan' else ('filters',)
        options = {key: value for key, value in TINY.items() if key not in variables} | options
        options |= {'data_root': data_root, 'default_hooks.logger.interval': 1}
        cfg_options = {**options, 'work_dir': str(tmp_path / 'work'), 'log_level': 'ERROR'}
        config = str(ITP / f'{network}_cityscapes.py')
        metrics = train(config, TrainingOptions(cfg_options=cfg_options, no_persistent_workers=True))
        (log,) = tmp_path.glob('work/*/vis_data/scalars.json')
        return metrics, [json.loads(line) for line in log.read_text().splitlines()]

    return start


def weighting_names() -> list[str]:
    return list(Config.fromfile(ITP.parent / '_base_/task_weightings.py').weightings)


@pytest.mark.parametrize('weighting', weighting_names())
def test_every_weighting_trains(run, weighting, tmp_path):
    metrics, log = run('segnet_mtan', weighting=weighting)
    assert metrics.keys() == METRICS and all(map(math.isfinite, metrics.values()))
    steps = [entry for entry in log if 'loss' in entry]
    assert len(steps) == 6  # two epochs of three batches
    for step in steps:
        assert all(math.isfinite(step[key]) for key in ('loss', 'seg_error', 'depth_error'))
    weights = torch.tensor([[step['seg_weight'], step['depth_weight']] for step in steps])
    constant = weighting in ('equal', 'fixed', 'dwa')  # DWA takes two epochs to begin
    if weighting == 'itp_instance':
        assert bool((weights[:3] == 1).all())  # refitted after the first epoch
    else:
        assert bool((weights == 1).all()) == constant and (weights >= 0).all()
    checkpoint = torch.load(tmp_path / 'work/epoch_2.pth', weights_only=False)
    assert ('instance_task_weights' in checkpoint) == weighting.startswith('itp')
    if weighting.startswith('itp'):
        table = checkpoint['instance_task_weights']
        name = 'deviation' if weighting == 'itp_gradient' else 'contrast_sum'
        assert table[name].shape == (5, 2) and table[name].ne(0).all()


@pytest.mark.parametrize('weighting', ['itp', 'uncertainty'])
def test_deeplab_trains(run, weighting):
    metrics, log = run('deeplabv3_r50', weighting=weighting)
    assert metrics.keys() == METRICS and all(map(math.isfinite, metrics.values()))
    assert sum('loss' in entry for entry in log) == 4  # two epochs of two whole batches


@pytest.mark.parametrize(('network', 'task'), [*zip(NETWORKS, ('seg', 'depth'), strict=True)])
def test_single_tasks(run, network, task):
    metrics, _ = run(network, tasks=(task,), epochs=1)
    assert metrics.keys() == {key for key in METRICS if key.startswith('depth') == (task == 'depth')}


@pytest.mark.parametrize('network', NETWORKS)
def test_a_stock_runner_takes_the_config(network, data_root, tmp_path, plain_config_text):
    config = Config.fromfile(ITP / f'{network}_cityscapes.py')
    config.work_dir, config.log_level = str(tmp_path), 'ERROR'
    config.model.backbone.init_cfg = None
    for loader in (config.train_dataloader, config.val_dataloader, config.test_dataloader):
        loader.dataset.data_root = data_root
        loader.update(num_workers=0, persistent_workers=False, batch_size=2)
    runner = Runner.from_cfg(config)
    assert len(runner.model.task_names) == 2
    optimizer = runner.build_optim_wrapper(config.optim_wrapper).optimizer
    (group,) = (group for group in optimizer.param_groups if group['params'][0] is runner.model.weighting.log_variance)
    assert group['weight_decay'] == 0 and group['lr'] == pytest.approx(config.log_variance_lr)
    assert next(iter(runner.test_dataloader))['data_samples'][0].gt_depth_map.data.shape == (1, 32, 64)


@pytest.mark.parametrize('network', NETWORKS)
def test_published_recipe(network):
    config = Config.fromfile(ITP / f'{network}_cityscapes.py')
    assert config.train_cfg == dict(by_epoch=True, max_epochs=200, val_begin=191, val_interval=1)
    assert config.param_scheduler == [dict(type='StepLR', step_size=100, gamma=0.5, by_epoch=True)]
    deeplab = network == 'deeplabv3_r50'
    assert config.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4, weight_decay=1e-5 if deeplab else 0.0)
    (rule,) = config.optim_wrapper.paramwise_cfg.custom_keys.items()
    assert rule == ('weighting', dict(lr_mult=pytest.approx(250), decay_mult=0))
    loader = config.train_dataloader
    assert loader.batch_size == config.auto_scale_lr.base_batch_size == (64 if deeplab else 8)
    assert (loader.dataset.type, loader.dataset.layout, loader.dataset.num_classes) == (
        'mmfct.CityscapesMultiTask',
        'npy',
        7,
    )
    steps = [step.type for step in loader.dataset.pipeline if not step.type.startswith(('mmfct.Load', 'Pack'))]
    assert steps == ([] if deeplab else ['mmfct.RandomZoomCrop', 'RandomFlip'])
    if not deeplab:
        zoom = loader.dataset.pipeline[3]
        assert zoom == dict(type='mmfct.RandomZoomCrop', scales=(1.0, 1.2, 1.5), scale_depth='published')
    assert config.model.data_preprocessor.std == [255.0] * 3  # images from 0 to 1
    assert config.test_dataloader.dataset.split == 'val'
    assert [evaluator.type for evaluator in config.test_evaluator] == ['IoUMetric', 'mmfct.DepthErrorMetric']


def test_networks_are_the_published_ones():
    sizes = {}
    for network in NETWORKS:
        config = Config.fromfile(ITP / f'{network}_cityscapes.py')
        init_default_scope('mmseg')
        model = MODELS.build(config.model)
        if network == 'deeplabv3_r50':
            assert config.model.backbone.init_cfg == dict(type='Pretrained', checkpoint='torchvision://resnet50')
            strides = [getattr(model.backbone, name)[0].conv2.stride for name in model.backbone.res_layers]
            assert strides == [(1, 1), (2, 2), (1, 1), (1, 1)]
            assert model.backbone.layer4[1].conv2.dilation == (4, 4)
        sizes[network] = sum(parameter.numel() for parameter in model.parameters())
    assert sizes['segnet_mtan'] == 41_206_984 + 2  # and a log-variance per task


def test_one_variable_switches_weighting_and_hooks():
    for network in NETWORKS:
        for name in weighting_names():
            options = dict(weighting=name, instance_lr=0.3, others=3, seed=4)
            config = load_config(ITP / f'{network}_cityscapes.py', options)
            assert config.model.weighting == config.weightings[name]
            assert [hook.type for hook in config.custom_hooks] == HOOKS * name.startswith('itp')
            assert [hook.get('lr') for hook in config.custom_hooks] == RATES.get(name, [])
            assert config.weightings.itp == dict(type='mmfct.AgreementWeighting', others=3)
            assert config.work_dir == f'work_dirs/{network}_cityscapes_{name}'
            assert config.weightings.rlw.seed == config.randomness.seed == 4


def test_suspects_reach_a_hook_with_every_weighting():
    for name in weighting_names():  # where there are no weights of instances, it refuses them
        config = load_config(ITP / 'unet_street_scenes.py', dict(weighting=name, suspects='found'))
        assert [hook.suspects for hook in config.custom_hooks] == ['found']


def test_new_images_go_through_the_functions_of_mmseg():
    from mmseg.apis import MMSegInferencer, inference_model, init_model

    file, image = str(ITP / 'unet_street_scenes.py'), np.zeros((32, 64, 3), np.uint8)
    model = init_model(Config.fromfile(file), device='cpu')
    sample = inference_model(model, image)
    assert sample.pred_depth_map.data.shape == sample.pred_sem_seg.data.shape == (1, 32, 64)
    inferencer = MMSegInferencer(file, device='cpu', classes=['a'] * 7, palette=[[0, 0, 0]] * 7)
    found = inferencer(image, return_datasamples=True)
    assert found.pred_depth_map.data.shape == (1, 32, 64)
