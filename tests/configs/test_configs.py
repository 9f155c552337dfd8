"""Every config is an ordinary config of mmengine; those of the paper have its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, PARAM_SCHEDULERS, init_default_scope
from mmengine.runner import Runner

from mmfct.apis.training.config import load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train

FCT = Path(__file__).parents[2] / 'configs/fct'
LEAVES = sorted(path.name for path in FCT.glob('*.py'))
LEAVES += sorted(f'../bct/{path.name}' for path in FCT.parent.glob('bct/*.py'))
# Data sets of many large images: two old classes, four images at a time.
LARGE = ('imagenet', 'cifar100', 'places365', 'vggface2', 'folders')
TINY = dict(epochs=2, side_epochs=2, transform_epochs=2, warmup_epochs=1, num_views=1)


@pytest.fixture(scope='module')
def workplace(tmp_path_factory) -> Path:
    """Where the configs' relative paths lead, and where stages leave their checkpoints for later ones."""
    return tmp_path_factory.mktemp('workplace')


@pytest.fixture
def stock_config(request, workplace, monkeypatch, plain_config_text):
    """Load a config as mmengine does, with the data of a miniature, and smaller images and batches."""
    monkeypatch.chdir(workplace)

    def load(name: str, depth: int = 50, cfg_options: dict | None = None) -> Config:
        config = load_config(FCT / name, cfg_options)  # without options as mmengine does
        kind = name.split('_')[1].removesuffix('.py')
        data = 'imagenet' if kind == 'folders' else kind
        root = None if kind == 'digits' else request.getfixturevalue(f'{data}_root')
        for node in _dicts(config._cfg_dict):
            if root is not None and 'data_root' in node:
                node['data_root'] = root
            for key in {'scale', 'crop_size', 'img_size'} & node.keys():
                if isinstance(node[key], int) and node[key] >= 224:
                    node[key] //= 4
            if node.get('depth') == 50:
                node['depth'] = depth
            if node.get('type') == 'mmfct.ClassSubset' and kind in LARGE:
                node['num_classes'] = 2
            if node.get('type') == 'mmfct.EmbeddingTable':
                node.update(num_views=1, num_workers=0)
                if 'dataset' not in node['dataset']:  # a subset of the classes needs some images of each
                    node['dataset']['indices'] = 12
        for loader in ('train_dataloader', 'test_dataloader'):
            if loader in config:
                batch_size = min(config[loader].batch_size, 4 if kind in LARGE else 16)
                config[loader].update(batch_size=batch_size, num_workers=0)
        config.work_dir = str(workplace / 'stock' / name.removesuffix('.py'))
        config.log_level = 'ERROR'
        return config

    return load


def _dicts(node: object) -> Iterator[dict]:
    """Yield every dict in a config, outer ones first."""
    if isinstance(node, dict):
        yield node
    for item in node.values() if isinstance(node, dict) else node if isinstance(node, (list, tuple)) else ():
        yield from _dicts(item)


def make_prerequisites(config: Config, stock_config) -> None:
    """Leave an untrained and shallower model wherever the config wants a trained one."""
    for entry in config.get('prerequisites', []):
        if Path(entry.checkpoint).exists():
            continue
        stage = stock_config(entry.config, depth=18, cfg_options=entry.get('cfg_options'))
        make_prerequisites(stage, stock_config)
        init_default_scope('mmpretrain')
        model = MODELS.build(stage.model)
        if 'prerequisites' in stage:
            model.init_weights()  # which loads the checkpoint of the stage before
        Path(entry.checkpoint).parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state_dict=model.state_dict()), entry.checkpoint)


@pytest.mark.parametrize('name', LEAVES)
def test_a_stock_runner_takes_one_step_and_tests(name, stock_config):
    # A ResNet-50 takes its time, three of them more: they are built by ImageNet's configs of their stages alone.
    whole = 'imagenet' in name and 'new' not in Config.fromfile(FCT / name).model.get('encoders', {})
    config = stock_config(name, depth=50 if whole else 18)
    make_prerequisites(config, stock_config)
    runner = Runner.from_cfg(config)
    runner._train_loop = runner.build_train_loop(config.train_cfg)
    runner.optim_wrapper = runner.build_optim_wrapper(config.optim_wrapper)
    assert runner.build_param_scheduler(config.param_scheduler)
    runner._init_model_weights()
    before = {name: value.clone() for name, value in runner.model.named_parameters()}
    runner.model.train()
    losses = runner.model.train_step(next(iter(runner.train_dataloader)), runner.optim_wrapper)
    assert math.isfinite(float(losses['loss']))
    changed = [name for name, value in runner.model.named_parameters() if not torch.equal(value, before[name])]
    frozen = [name for name, value in runner.model.named_parameters() if not value.requires_grad]
    assert changed and not set(changed) & set(frozen)
    if 'test_dataloader' in config:
        metrics = runner.test()
        assert {'compatibility/new/upgraded_map', 'compatibility/num_queries'} <= metrics.keys()


@pytest.mark.parametrize('name', ['resnet50_imagenet_old.py', 'resnet50_imagenet_new.py'])
def test_paper_classifier(name):
    config = Config.fromfile(FCT / name)
    assert config.optim_wrapper == dict(
        optimizer=dict(type='SGD', lr=1.024, momentum=0.875, weight_decay=3.0517578125e-05)
    )  # on every parameter, without Nesterov
    assert config.train_cfg == dict(by_epoch=True, max_epochs=100)
    assert config.train_dataloader.batch_size == 128 and config.auto_scale_lr.base_batch_size == 8 * 128 == 1024
    assert config.model.backbone == dict(type='mmfct.EmbeddingResNet', depth=50, embedding_dims=128)
    assert config.model.head == dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=128,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
    )
    images = config.train_dataloader.dataset
    if name.endswith('old.py'):
        assert (images.type, images.num_classes) == ('mmfct.ClassSubset', 500)
        images = images.dataset
    assert [step.type for step in images.pipeline[1:]] == ['RandomResizedCrop', 'RandomFlip', 'PackInputs']
    assert images.pipeline[1].scale == 224


def test_paper_classifier_rates():
    config = Config.fromfile(FCT / 'resnet50_imagenet_new.py')
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.optim_wrapper.optimizer.lr)
    schedulers = [PARAM_SCHEDULERS.build({**entry, 'optimizer': optimizer}) for entry in config.param_scheduler]
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    warmup = [1.024 * (epoch + 1) / 5 for epoch in range(5)]
    cosine = [1.024 * (1 + math.cos(math.pi * (epoch - 5) / 95)) / 2 for epoch in range(5, 100)]
    assert rates == pytest.approx(warmup + cosine)


def test_paper_side_information():
    config = Config.fromfile(FCT / 'resnet50_imagenet_side.py')
    assert config.optim_wrapper.optimizer == dict(type='LARS', lr=4.8, momentum=0.9, weight_decay=1e-6)
    assert config.auto_scale_lr.base_batch_size == 4096 == 8 * config.train_dataloader.batch_size
    assert config.train_cfg.max_epochs == 200 and config.model.head.temperature == 0.1
    images = config.train_dataloader.dataset
    assert (images.type, images.num_classes) == ('mmfct.ClassSubset', 500)
    projector = config.model.neck.projector
    assert (config.model.neck.out_channels, projector.hid_channels, projector.out_channels) == (128, 2048, 128)
    assert config.sync_bn == 'torch'


@pytest.mark.parametrize(
    'name', ['resnet50_imagenet.py', 'resnet50_imagenet_noside.py', 'resnet50_imagenet_online.py']
)
def test_paper_transformation(name):
    config = Config.fromfile(FCT / name)
    assert config.optim_wrapper == dict(optimizer=dict(type='Adam', lr=5e-4, weight_decay=3.0517578125e-05))
    assert config.train_cfg == dict(by_epoch=True, max_epochs=80)
    assert config.custom_hooks == [dict(type='mmfct.EvalModeFromEpochHook', epoch=40, module='head')]
    assert [entry.type for entry in config.param_scheduler] == ['LinearLR', 'CosineAnnealingLR']
    assert (config.param_scheduler[0].end, config.param_scheduler[1].T_max) == (5, 75)
    assert not any(entry.get('convert_to_iter_based') for entry in config.param_scheduler)
    assert config.train_dataloader.batch_size == 128 and config.auto_scale_lr.base_batch_size == 1024
    assert config.model.head == dict(
        type='mmfct.TransformationHead', old_dims=128, side_dims=128, new_dims=128, hidden_dims=2048
    )
    assert ('side' in config.model.encoders) == ('noside' not in name)
    head = MODELS.build(config.model.head)
    assert sum(parameter.numel() for parameter in head.parameters()) == 5_712_000
    # The mean over batch and width.
    head.eval()
    old, side, new = torch.randn(3, 4, 128)
    expected = torch.nn.functional.mse_loss(head(old, side), new)
    torch.testing.assert_close(head.loss(old, side, new)['loss'], expected)
    cached = name != 'resnet50_imagenet_online.py'
    assert config.train_dataloader.dataset.type == ('mmfct.EmbeddingTable' if cached else 'CustomDataset')


def test_paper_evaluation_images():
    config = Config.fromfile(FCT / 'resnet50_imagenet.py')
    _, resize, crop, _ = config.test_dataloader.dataset.dataset.pipeline
    assert resize == dict(type='ResizeEdge', scale=256, edge='short')
    assert crop == dict(type='CenterCrop', crop_size=224)
    assert 'num_classes' not in config.test_dataloader.dataset.dataset  # all classes, also for the old model


@pytest.mark.parametrize('stage', ['old', 'new'])
def test_cifar100_differs_from_imagenet_in_its_images_only(stage):
    config, imagenet = (Config.fromfile(FCT / f'resnet50_{data}_{stage}.py') for data in ('cifar100', 'imagenet'))
    for key in ('optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'randomness'):
        assert config[key] == imagenet[key]
    assert config.model.backbone == imagenet.model.backbone
    assert config.model.head == dict(imagenet.model.head, num_classes=100)
    images = config.train_dataloader.dataset if stage == 'new' else config.train_dataloader.dataset.dataset
    assert [step.type for step in images.pipeline] == ['Resize', 'RandomFlip', 'PackInputs']
    assert images.pipeline[0].scale == 224
    if stage == 'old':
        assert config.train_dataloader.dataset.num_classes == 50


@pytest.mark.parametrize('name', [name for name in LEAVES if 'prerequisites' in Config.fromfile(FCT / name)])
def test_stages_draw_weights_of_their_own(name):
    def seeds(seed: int) -> list[int]:
        config = load_config(FCT / name, dict(seed=seed))
        stages = [
            load_config((FCT / name).parent / entry.config, {'seed': seed, **entry.get('cfg_options', {})})
            for entry in config.prerequisites
        ]
        return [stage.randomness.seed for stage in [*stages, config]]

    assert len(set(seeds(7) + seeds(8))) == 2 * len(seeds(7))


@pytest.mark.parametrize('data', ['omniglot', 'grocery'])
@pytest.mark.parametrize('setting', ['half', 'tenth', 'coarse'])
@pytest.mark.parametrize('side', ['simclr', 'shared', 'none'])
def test_settings(data, setting, side):
    total, half, tenth, coarse = (242, 121, 24, 8) if data == 'omniglot' else (81, 40, 8, 43)
    options = dict(setting=setting, side=side, work_root='w')
    config = load_config(FCT / f'resnet10_{data}.py', options)
    side_classes = half if setting == 'half' else total
    assert config.work_dir == f'w/resnet10_{data}_{setting}_{side}_{side_classes}'
    assert list(config.model.encoders) == (['old', 'new'] if side == 'none' else ['old', 'new', 'side'])
    assert config.train_dataloader.dataset.encoders == config.test_dataloader.dataset.encoders == config.model.encoders
    names = [Path(entry.checkpoint).parent.name.removeprefix(f'resnet10_{data}_') for entry in config.prerequisites]
    middle = dict(simclr=[f'side_{side_classes}'], shared=[f'side_shared_{setting}_{side_classes}'], none=[])[side]
    assert names == [f'old_{setting}', *middle, 'new']
    old, *others = (
        load_config(FCT / entry.config, {**options, **entry.get('cfg_options', {})}) for entry in config.prerequisites
    )
    seen = dict(half=half, tenth=tenth, coarse=coarse)[setting]
    subset = next(node for node in _dicts(old.train_dataloader) if node.get('type') == 'mmfct.ClassSubset')
    assert old.model.head.num_classes == subset.num_classes == seen
    assert (subset.dataset.labels in ('alphabet', 'coarse')) == (setting == 'coarse')
    assert others[-1].model.head.num_classes == total
    if side != 'none':
        seen = others[0].train_dataloader.dataset
        assert (seen.dataset if seen.type == 'RepeatDataset' else seen).num_classes == side_classes
    if side == 'shared':
        assert others[0].model.backbone.init_cfg.checkpoint == config.prerequisites[0].checkpoint


@pytest.mark.parametrize('cut_mix', [True, False])
def test_h_learns_on_images_with_a_part_of_another_unless_told_otherwise(cut_mix):
    config = load_config(FCT / 'resnet10_grocery.py', {} if cut_mix else dict(cut_mix=False))
    images = config.train_dataloader.dataset.dataset
    plain = load_config(FCT / 'resnet10_grocery_new.py').train_dataloader.dataset
    assert images == (dict(type='mmfct.CutMixImages', dataset=plain) if cut_mix else plain)
    assert config.test_dataloader.dataset.dataset.type == 'mmfct.GroceryStore'


def test_side_classes_of_the_user_are_kept_apart():
    configs = [load_config(FCT / 'resnet10_omniglot.py', dict(side_classes=count)) for count in (24, 242)]
    folders = [(config.work_dir, config.model.encoders.side.checkpoint) for config in configs]
    assert len(set(folders)) == 2


def test_shared_backbone_runs_end_to_end(grocery_root, tmp_path, plain_config_text):
    options = TINY | dict(data_root=grocery_root, setting='coarse', side='shared', image_size=16)
    config = str(FCT / 'resnet10_grocery.py')
    metrics = train(config, TrainingOptions(cfg_options=options | dict(work_root=str(tmp_path))))
    assert metrics['compatibility/num_queries'] == 162
    (neck,) = tmp_path.glob('*side_shared*/final.pth')
    old = torch.load(next(tmp_path.glob('*_old_*/final.pth')), weights_only=True)['state_dict']
    side = torch.load(neck, weights_only=True)['state_dict']
    backbone = [name for name in old if name.startswith('backbone.')]
    assert backbone and all(torch.equal(old[name], side[name]) for name in backbone)  # frozen, BN statistics too
