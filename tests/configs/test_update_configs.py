"""Data sets of the paper beside ImageNet, and updates in which more than the classes changes."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from mmfct.apis.training.config import load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.train import train
from mmfct.utils.checkpoint import load_state_dict

FCT = Path(__file__).parents[2] / 'configs/fct'
TINY = dict(
    depth=18,
    image_size=32,
    num_classes=4,
    old_classes=2,
    epochs=2,
    side_epochs=2,
    transform_epochs=2,
    warmup_epochs=1,
    batch_size=4,
    num_views=1,
    num_workers=0,
)


@functools.cache
def read(name: str) -> Config:
    """Load a config as mmengine does; nobody here changes one."""
    return Config.fromfile(FCT / f'{name}.py')


def leaves(node: object, path: str = '') -> Iterator[tuple[str, object]]:
    """Yield every value in a config with its dotted name."""
    if isinstance(node, (dict, list, tuple)):
        items = node.items() if isinstance(node, dict) else enumerate(node)
        for key, item in items:
            yield from leaves(item, f'{path}.{key}' if path else str(key))
    else:
        yield path, node


def differences(name: str, base: str, *parts: str) -> set[str]:
    """Names of the values under ``parts`` that only one of two configs has, or that differ."""
    first, second = (set(leaves({part: read(config).get(part) for part in parts})) for config in (name, base))
    return {path for path, _ in first ^ second}


STAGE = ('model', 'train_dataloader', 'optim_wrapper', 'param_scheduler', 'train_cfg', 'auto_scale_lr', 'randomness')
LAST = (*STAGE, 'test_dataloader', 'test_evaluator', 'custom_hooks')


@pytest.mark.parametrize('stage', ['old', 'new', 'side'])
def test_places365_differs_from_imagenet_in_its_images_only(stage):
    changed = differences(f'resnet50_places365_{stage}', f'resnet50_imagenet_{stage}', *STAGE)
    assert {path.rpartition('.')[2] for path in changed} == {'data_root', 'num_classes'}
    config = read(f'resnet50_places365_{stage}')
    images = config.train_dataloader.dataset
    if stage != 'new':
        assert (images.type, images.num_classes) == ('mmfct.ClassSubset', 182)
    if stage != 'side':
        assert config.model.head.num_classes == config.model.data_preprocessor.num_classes == 365


@pytest.mark.parametrize('side', ['', '_noside'])
def test_places365_trains_h_as_imagenet_does(side):
    changed = differences(f'resnet50_places365{side}', f'resnet50_imagenet{side}', *LAST)
    assert {path.rpartition('.')[2] for path in changed} == {'data_root', 'num_classes', 'path', 'checkpoint'}


def test_vggface2_is_tested_on_identities_that_no_model_saw():
    config = read('resnet50_vggface2')
    images = config.test_dataloader.dataset.dataset
    assert (images.data_prefix, config.train_dataloader.dataset.dataset.data_prefix) == ('test', 'train')
    assert config.test_evaluator == dict(type='mmfct.CompatibilityMetric', distance='cosine')
    assert [config.model.encoders[role].backbone.depth for role in ('old', 'side', 'new')] == [18, 50, 50]


@pytest.mark.parametrize(('name', 'depth'), [('resnet18_vggface2_old', 18), ('resnet50_vggface2_new', 50)])
def test_vggface2_is_learned_with_arcface(name, depth):
    config = read(name)
    assert config.model.backbone == dict(type='mmfct.EmbeddingResNet', depth=depth, embedding_dims=128)
    head = config.model.head
    assert (head.type, head.num_classes, head.scale, head.margins) == ('ArcFaceClsHead', 8631, 64.0, 0.5)
    images = config.train_dataloader.dataset
    if depth == 18:
        assert (images.type, images.num_classes) == ('mmfct.ClassSubset', 863)
        images = images.dataset
    steps = [step.type for step in images.pipeline]
    assert steps == ['LoadImageFromFile', 'ResizeEdge', 'RandomCrop', 'RandomFlip', 'PackInputs']


@pytest.mark.parametrize(
    ('name', 'base', 'expected'),
    [
        ('resnet50_imagenet_from_resnet18', 'resnet50_imagenet', {'old.backbone.depth', 'old.checkpoint'}),
        ('resnet50_places365_from_imagenet', 'resnet50_places365', {'old.checkpoint'}),
        (
            'resnet10_omniglot_from_width64',
            'resnet10_omniglot',
            {'old.backbone.embedding_dims', 'old.checkpoint', 'head.old_dims'},
        ),
        ('resnet10_omniglot_to_arcface', 'resnet10_omniglot', {'new.checkpoint', 'distance'}),
        (
            'resnet10_omniglot_from_digits',
            'resnet10_omniglot',
            {'old.data_preprocessor.mean.0', 'old.data_preprocessor.std.0', 'old.checkpoint'},
        ),
    ],
)
def test_an_update_changes_one_thing(name, base, expected):
    changed = differences(f'{name}', f'{base}', *LAST)
    short = {path.rpartition('encoders.')[2].removeprefix('model.') for path in changed}
    assert {path.removeprefix('test_evaluator.') for path in short if not path.endswith('.path')} == expected
    config = read(name)
    assert config.train_dataloader.dataset.encoders == config.test_dataloader.dataset.encoders == config.model.encoders
    assert len(config.prerequisites) == 3 and Path(config.work_dir).name.startswith(name.partition('_from')[0][:12])
    checkpoints = {config.model.encoders[role].checkpoint for role in config.model.encoders}
    assert checkpoints == {entry.checkpoint for entry in config.prerequisites}


def test_a_vision_transformer_replaces_the_new_model_alone():
    config, base = (read(f'{name}') for name in ('vit_imagenet', 'resnet50_imagenet'))
    stage = read('vit_imagenet_new')
    for role in ('old', 'side'):
        assert config.model.encoders[role] == base.model.encoders[role]
    assert config.model.head == base.model.head
    for loader in (config.train_dataloader, config.test_dataloader):
        assert loader.dataset.encoders == config.model.encoders
    new = config.model.encoders.new
    assert (new.backbone, new.neck) == (stage.model.backbone, stage.model.neck)
    assert stage.optim_wrapper.optimizer.type == 'AdamW'


def test_arcface_is_the_only_change_of_the_new_model():
    changed = differences('resnet10_omniglot_new_arcface', 'resnet10_omniglot_new', *STAGE)
    assert changed and all(path.startswith('model.head.') for path in changed)


def test_digits_are_normalised_as_in_their_own_training():
    config = read('resnet10_omniglot_from_digits')
    own = read('resnet10_digits_old').model.data_preprocessor
    used = config.model.encoders.old.data_preprocessor
    assert all(used[key] == own[key] for key in ('mean', 'std', 'to_rgb', 'type'))


def test_without_side_information_the_narrow_embedding_takes_both_branches():
    config = load_config(FCT / 'resnet10_omniglot_from_width64.py', dict(side='none'))
    assert (config.model.head.old_dims, config.model.head.side_dims, config.model.head.new_dims) == (64, 64, 128)


@pytest.fixture(scope='module')
def run(tmp_path_factory, request, plain_config_text):
    """Train a config on a miniature of its data, on what earlier calls left; return its folder and metrics."""
    root = tmp_path_factory.mktemp('work')

    def train_config(name: str, data: str, **options) -> tuple[Path, dict]:
        options = dict(data_root=request.getfixturevalue(f'{data}_root'), work_root=str(root)) | options
        metrics = train(str(FCT / f'{name}.py'), TrainingOptions(cfg_options=options))
        return root, metrics

    return train_config


@pytest.mark.parametrize(
    ('name', 'data', 'options'),
    [
        ('resnet50_vggface2', 'vggface2', dict(old_depth=18)),
        ('resnet50_imagenet_from_resnet18', 'imagenet', dict(old_depth=34)),
        ('vit_imagenet', 'imagenet', dict(vit_dims=12, vit_layers=1, vit_heads=2)),
    ],
)
def test_large_configs_run(name, data, options, run):
    folder, metrics = run(name, data, **TINY | options)
    assert metrics['compatibility/num_queries'] == 12
    assert all(0 <= metrics[f'compatibility/{pair}_map'] <= 1 for pair in ('old/old', 'new/upgraded', 'new/new'))
    if name == 'resnet50_imagenet_from_resnet18':  # the others have two blocks in a stage
        assert 'backbone.layer1.2.conv1.weight' in load_state_dict(folder / 'resnet18_imagenet_old/final.pth')
    assert json.loads((folder / name / 'compatibility.json').read_text()).keys() == metrics.keys()


def test_places365_runs_from_a_model_of_imagenet(run, imagenet_root):
    options = TINY | dict(imagenet_root=imagenet_root, imagenet_classes=4)
    folder, metrics = run('resnet50_places365_from_imagenet', 'places365', **options)
    assert metrics['compatibility/num_queries'] == 12
    recorded = json.loads((folder / 'resnet50_imagenet_all/training.json').read_text())
    assert imagenet_root in json.dumps(recorded)


@pytest.mark.parametrize('update', ['from_width64', 'to_arcface', 'from_digits'])
def test_omniglot_updates_run(update, run):
    tiny = {key: TINY[key] for key in ('epochs', 'transform_epochs', 'warmup_epochs', 'num_views')}
    folder, metrics = run(f'resnet10_omniglot_{update}', 'omniglot', side='none', image_size=16, **tiny)
    assert metrics['compatibility/num_queries'] == 484
    if update == 'from_width64':
        weights = load_state_dict(folder / 'resnet10_omniglot_old_half_width64/final.pth')
        assert weights['head.fc.weight'].shape == (121, 64)
    if update == 'from_digits':
        assert load_state_dict(folder / 'resnet10_digits_all/final.pth')['head.fc.weight'].shape == (10, 128)
    assert torch.isfinite(torch.tensor(metrics['compatibility/new/upgraded_map']))
