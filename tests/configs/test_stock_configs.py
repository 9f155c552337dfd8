"""Components of mmfct in other people's configs: stock mmpretrain, no `custom_imports`, the host's own scope."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mmfct

# What a user would write on top of a stock config, besides shrinking images and schedule.
TINY = """
work_dir = '{folder}/{name}'
size = 32
train_cfg = dict(max_epochs=1)
default_hooks = dict(checkpoint=dict(interval=1))
log_level = 'ERROR'
randomness = dict(seed=0)
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='CenterCrop', crop_size=size), dict(type='PackInputs')]
train_set = dict(type='CustomDataset', data_root='{folder}/images', pipeline=test_pipeline)
loader = dict(batch_size=4, num_workers=0, persistent_workers=False)
"""

CLASSIFIER = """
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
model = dict(
    backbone=dict(_delete_=True, type='mmfct.EmbeddingResNet', depth=18, embedding_dims=16),
    head=dict(num_classes=3, in_channels=16, topk=(1,)),
)
train_dataloader = dict(
    **loader, dataset=dict(_delete_=True, type='mmfct.ClassSubset', num_classes=2, dataset=train_set)
)
val_dataloader = dict(**loader, dataset=dict(_delete_=True, **train_set))
val_evaluator = dict(topk=(1,))
custom_hooks = [dict(type='mmfct.EvalModeFromEpochHook', epoch=0, module='backbone')]
"""

SIMCLR = """
_base_ = 'mmpretrain::simclr/simclr_resnet50_8xb32-coslr-200e_in1k.py'
model = dict(
    backbone=dict(depth=18),
    neck=dict(
        _delete_=True,
        type='mmfct.SideInfoNeck',
        in_channels=512,
        out_channels=8,
        num_layers=1,
        projector=dict(type='NonLinearNeck', in_channels=8, hid_channels=8, out_channels=4, num_layers=2),
    ),
)
views = dict(type='MultiView', num_views=2, transforms=[[dict(type='RandomResizedCrop', scale=size)]])
train_pipeline = [dict(type='LoadImageFromFile'), views, dict(type='PackInputs')]
train_dataloader = dict(
    **loader,
    dataset=dict(_delete_=True, **dict(train_set, pipeline=train_pipeline)),
    collate_fn=dict(_delete_=True, type='default_collate'),  # the stock one brings a `_scope_` that torch rejects
)
"""

# The transformation, online: old model and side-information are those that the two configs above trained.
TRANSFORM = """
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
normalization = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], to_rgb=True)
backbone = dict(type='mmfct.EmbeddingResNet', depth=18, embedding_dims=16)
side_neck = dict(type='mmfct.SideInfoNeck', in_channels=512, out_channels=8, num_layers=1)
encoders = dict(
    old=dict(
        backbone=backbone,
        data_preprocessor=dict(normalization, type='ClsDataPreprocessor'),
        checkpoint='{folder}/classifier/epoch_1.pth',
    ),
    side=dict(
        backbone=dict(type='ResNet', depth=18),
        neck=side_neck,
        data_preprocessor=dict(normalization, type='SelfSupDataPreprocessor'),
        checkpoint='{folder}/simclr/epoch_1.pth',
    ),
    new=dict(
        backbone=backbone,
        data_preprocessor=dict(normalization, type='ClsDataPreprocessor'),
        checkpoint='{folder}/classifier/epoch_1.pth',  # any weights will do
    ),
)
data_preprocessor = None  # every encoder has its own
model = dict(
    _delete_=True,
    type='mmfct.ForwardTransform',
    head=dict(type='mmfct.TransformationHead', old_dims=16, side_dims=8, new_dims=16, hidden_dims=8),
    encoders=encoders,
)
train_dataloader = dict(**loader, dataset=dict(_delete_=True, **train_set))
val_dataloader = dict(**loader, dataset=dict(_delete_=True, **train_set))
val_evaluator = dict(_delete_=True, type='mmfct.CompatibilityMetric')
"""

CONFIGS = dict(classifier=CLASSIFIER, simclr=SIMCLR, transform=TRANSFORM)

# Runs in a fresh process, in which nobody has imported mmfct before.
WORKER = """
import json, sys, traceback
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub
from mmengine.runner import Runner

torch.set_num_threads(1)
assert 'mmfct' not in sys.modules
folder, *names = sys.argv[1:]
for name in names:
    try:
        config = Config.fromfile(f'{folder}/{name}.py')
        result = dict(scope=config.default_scope, custom_imports='custom_imports' in config)
        runner = Runner.from_cfg(config)
        before = {key: value.clone() for key, value in runner.model.state_dict().items()}
        runner.train()
        after = runner.model.state_dict()
        scalars = runner.message_hub.log_scalars
        result.update(
            types={key: type(module).__module__ + '.' + type(module).__name__
                   for key, module in runner.model.named_modules() if key.count('.') < 1},
            data=type(runner.train_dataloader.dataset).__name__,
            iterations=runner.iter,
            changed=[key for key in before if not torch.equal(before[key], after[key])],
            values={key: float(value.current()) for key, value in scalars.items()},
        )
    except Exception:
        result = dict(error=traceback.format_exc())
    with open(f'{folder}/{name}.json', 'w') as file:
        json.dump(result, file)
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Twelve pictures of three classes in the folder format of `CustomDataset`."""
    import cv2

    folder = tmp_path_factory.mktemp('stock')
    rng = np.random.default_rng(0)
    for index in range(12):
        file = folder / 'images' / 'abc'[index % 3] / f'{index}.png'
        file.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(file), rng.integers(256, size=(40, 40, 3), dtype=np.uint8))
    return folder


@pytest.fixture(scope='module')
def runs(folder, plain_config_environment) -> dict[str, dict]:
    """What came of each config."""
    for name, text in CONFIGS.items():
        base, rest = text.split('\n', 2)[1:]
        (folder / f'{name}.py').write_text(
            '\n'.join([base, TINY, rest]).replace('{folder}', str(folder)).replace('{name}', name)
        )
    environment = plain_config_environment | dict(CUDA_VISIBLE_DEVICES='', MPLBACKEND='Agg')
    command = [sys.executable, '-c', WORKER, str(folder), *CONFIGS]
    root = Path(mmfct.__file__).parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {name: json.loads((folder / f'{name}.json').read_text()) for name in CONFIGS}


@pytest.mark.parametrize('name', CONFIGS)
def test_a_stock_config_trains(runs, name):
    assert 'error' not in runs[name], runs[name]['error']
    assert runs[name]['scope'] == 'mmpretrain' and not runs[name]['custom_imports']
    assert runs[name]['iterations'] == dict(classifier=2, simclr=3, transform=3)[name]
    assert np.isfinite(runs[name]['values']['train/loss'])


def test_classifier_has_our_parts(runs):
    run = runs['classifier']
    assert run['types']['backbone'] == 'mmpretrain.models.backbones.resnet.ResNet'
    assert run['data'] == 'ClassSubset'  # the first two of three classes: eight images
    assert 0 <= run['values']['val/accuracy/top1'] <= 100
    assert 'backbone.layer4.1.conv2.weight' in run['changed']
    # `EvalModeFromEpochHook` from the first epoch on.
    assert not any('running_mean' in name for name in run['changed'])


def test_simclr_has_our_neck(runs):
    run = runs['simclr']
    assert run['types']['neck'] == 'mmfct.models.necks.side_info_neck.SideInfoNeck'
    assert {'neck.layers.1.weight', 'neck.projector.fc0.weight', 'backbone.conv1.weight'} <= set(run['changed'])


def test_transformation_learns_online_and_is_scored(runs):
    run = runs['transform']
    assert all(name.startswith('head.') for name in run['changed']) and run['changed']
    values = run['values']
    for pair in ('old/old', 'new/old', 'new/upgraded', 'upgraded/upgraded', 'new/new'):
        assert 0 <= values[f'val/compatibility/{pair}_cmc1'] <= 1
    assert values['val/compatibility/num_queries'] == 12
