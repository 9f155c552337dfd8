"""Parameters per training instance in other people's models: stock mmseg and mmpretrain, no `custom_imports`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mmfct

COMMON = """
work_dir = '{folder}/{name}'
log_level = 'ERROR'
randomness = dict(seed=0)
loader = dict(batch_size=4, num_workers=0, persistent_workers=False)
custom_hooks = [dict(type='mmfct.InstanceTaskWeightHook')]
"""

# mmseg has no config of so small a network; the parts are its own.
SEGMENTOR = """
default_scope = 'mmseg'
norm = dict(type='BN')
head = dict(type='FCNHead', num_convs=1, concat_input=False, channels=8, num_classes=3, norm_cfg=norm)
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(type='SegDataPreProcessor', size=(32, 32), seg_pad_val=255),
    backbone=dict(type='ResNet', depth=18, base_channels=8, norm_cfg=norm),
    decode_head=dict(
        **head,
        in_channels=64,
        in_index=3,
        loss_decode=dict(
            type='mmfct.InstanceTaskWeightLoss',
            task='seg',
            shared=True,
            loss=dict(type='CrossEntropyLoss', avg_non_ignore=True),
        ),
    ),
    auxiliary_head=dict(
        **head,
        in_channels=32,
        in_index=2,
        loss_decode=dict(
            type='mmfct.InstanceTaskWeightLoss',
            task='seg_aux',
            shared=True,
            loss=dict(type='CrossEntropyLoss', avg_non_ignore=True, loss_weight=0.4),
        ),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
train_dataloader = dict(
    **loader,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='BaseSegDataset',
        metainfo=dict(classes=('a', 'b', 'c')),
        data_root='{folder}/maps',
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.png',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
    ),
)
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
train_cfg = dict(type='IterBasedTrainLoop', max_iters=6)
default_hooks = dict(checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=6))
"""

CLASSIFIER = """
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
narrow = dict(stem_channels=8, base_channels=8)
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
train_set = dict(type='CustomDataset', data_root='{folder}/classes', pipeline=test_pipeline)
train_dataloader = dict(**loader, dataset=dict(_delete_=True, **train_set))
val_dataloader = dict(**loader, dataset=dict(_delete_=True, **train_set))
val_evaluator = dict(topk=(1,))
train_cfg = dict(max_epochs=2)
default_hooks = dict(checkpoint=dict(interval=2))
"""

WEIGHTED = (
    CLASSIFIER
    + """
loss = dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=dict(type='CrossEntropyLoss'))
model = dict(backbone=narrow, head=dict(in_channels=64, num_classes=3, topk=(1,), loss=dict(_delete_=True, **loss)))
"""
)

GRADIENT = WEIGHTED.replace("task='label', loss", "task='label', gradient=True, loss")

TEMPERATURE = (
    CLASSIFIER
    + """
loss = dict(type='mmfct.DataParameterLoss', task='label', loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1))
model = dict(backbone=narrow, head=dict(in_channels=64, num_classes=3, topk=(1,), loss=dict(_delete_=True, **loss)))
"""
)

# Two of the twelve images have no shape, one no colour, and one nothing.
MULTI_TASK = (
    CLASSIFIER
    + """
head = dict(type='LinearClsHead', in_channels=64, topk=(1,))
weighted = dict(type='mmfct.InstanceTaskWeightLoss', loss=dict(type='CrossEntropyLoss'))
model = dict(
    backbone=narrow,
    head=dict(
        _delete_=True,
        type='MultiTaskHead',
        task_heads=dict(
            color=dict(**head, num_classes=3, loss=dict(**weighted, task='color')),
            shape=dict(**head, num_classes=2, loss=dict(**weighted, task='shape')),
        ),
    ),
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='MultiTaskDataset',
        data_root='{folder}/classes',
        ann_file='tasks.json',
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackMultiTaskInputs', multi_task_fields=['gt_label'])],
    ),
)
val_dataloader = None
val_cfg = None
val_evaluator = None
test_dataloader = None
test_cfg = None
test_evaluator = None
"""
)

# Every image has one or two of three classes.
MULTI_LABEL = (
    CLASSIFIER
    + """
loss = dict(type='mmfct.InstanceTaskWeightLoss', task='label', loss=dict(type='CrossEntropyLoss', use_sigmoid=True))
model = dict(
    backbone=narrow,
    head=dict(_delete_=True, type='MultiLabelLinearClsHead', in_channels=64, num_classes=3, loss=loss),
)
images = dict(type='MultiLabelDataset', data_root='{folder}/classes', ann_file='labels.json', pipeline=test_pipeline)
train_dataloader = dict(dataset=dict(_delete_=True, **images))
val_dataloader = None
val_cfg = None
val_evaluator = None
test_dataloader = None
test_cfg = None
test_evaluator = None
"""
)

CONFIGS = dict(
    segmentor=SEGMENTOR,
    weighted=WEIGHTED,
    gradient=GRADIENT,
    temperature=TEMPERATURE,
    multi_label=MULTI_LABEL,
    multi_task=MULTI_TASK,
)
BY_GRADIENT = ('gradient', 'temperature')

# Runs in a fresh process, in which nobody has imported mmfct before.
WORKER = """
import json, sys, traceback
from pathlib import Path
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from yapf.yapflib import yapf_api

torch.set_num_threads(1)
yapf_api.FormatCode = lambda text, **_: (text, True)  # takes longer than a tiny training
assert 'mmfct' not in sys.modules
folder, *names = sys.argv[1:]
for name in names:
    try:
        config = Config.fromfile(f'{folder}/{name}.py')
        result = dict(scope=config.default_scope, custom_imports='custom_imports' in config)
        runner = Runner.from_cfg(config)
        runner.train()
        (file,) = Path(runner.work_dir).glob('*.pth')
        checkpoint = torch.load(file, weights_only=False)
        table = checkpoint['instance_task_weights']
        result.update(
            model=type(runner.model).__module__,
            values={key: float(value.current()) for key, value in runner.message_hub.log_scalars.items()},
            table={key: value.tolist() if isinstance(value, torch.Tensor) else value for key, value in table.items()},
            parameters=[key for key in checkpoint['state_dict'] if 'log_variance' in key],
            pictures=len(list(Path(runner.work_dir).rglob('instance_weights_*.png'))),
        )
    except Exception:
        result = dict(error=traceback.format_exc())
    with open(f'{folder}/{name}.json', 'w') as file:
        json.dump(result, file)
"""


def tasks_of(index: int) -> dict[str, int]:
    """Labels of an image of the multi-task data set."""
    labels = dict(color=index % 3, shape=index % 2)
    missing = {2: ['shape'], 5: ['color'], 7: ['shape'], 10: ['color', 'shape']}.get(index, [])
    return {task: label for task, label in labels.items() if task not in missing}


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Twelve pictures in the formats of the three data sets; the fourth label map is ignored as a whole."""
    import cv2

    folder, rng = tmp_path_factory.mktemp('stock_itp'), np.random.default_rng(0)
    for name in ('maps/images', 'maps/labels', 'classes/a', 'classes/b', 'classes/c'):
        (folder / name).mkdir(parents=True)
    infos = []
    for index in range(12):
        image = rng.integers(256, size=(32, 32, 3), dtype=np.uint8)
        file = f'{"abc"[index % 3]}/{index}.png'
        cv2.imwrite(str(folder / 'classes' / file), image)
        cv2.imwrite(str(folder / f'maps/images/{index:02d}.png'), image)
        labels = np.full((32, 32), 255, np.uint8) if index == 3 else rng.integers(3, size=(32, 32), dtype=np.uint8)
        cv2.imwrite(str(folder / f'maps/labels/{index:02d}.png'), labels)
        infos.append(dict(img_path=file, gt_label=tasks_of(index)))
    content = dict(metainfo=dict(tasks=['color', 'shape']), data_list=infos)
    (folder / 'classes/tasks.json').write_text(json.dumps(content))
    infos = [
        dict(img_path=info['img_path'], gt_label=sorted({index % 3, index % 2})) for index, info in enumerate(infos)
    ]
    content = dict(metainfo=dict(classes=['a', 'b', 'c']), data_list=infos)
    (folder / 'classes/labels.json').write_text(json.dumps(content))
    return folder


@pytest.fixture(scope='module')
def runs(folder, plain_config_environment) -> dict[str, dict]:
    """What came of each config."""
    for name, text in CONFIGS.items():
        first, rest = text.strip().split('\n', 1)
        content = '\n'.join([first, COMMON, rest]).replace('{folder}', str(folder)).replace('{name}', name)
        (folder / f'{name}.py').write_text(content)
    environment = plain_config_environment | dict(CUDA_VISIBLE_DEVICES='', MPLBACKEND='Agg')
    command = [sys.executable, '-c', WORKER, str(folder), *CONFIGS]
    root = Path(mmfct.__file__).parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return {name: json.loads((folder / f'{name}.json').read_text()) for name in CONFIGS}


def learned(name: str) -> str:
    """What the checkpoint of a config has learned about the images."""
    return 'deviation' if name in BY_GRADIENT else 'contrast_sum'


@pytest.mark.parametrize('name', CONFIGS)
def test_a_stock_model_trains_with_parameters_per_instance(runs, name):
    run = runs[name]
    assert 'error' not in run, run['error']
    assert run['scope'] == ('mmseg' if name == 'segmentor' else 'mmpretrain') and not run['custom_imports']
    assert not run['model'].startswith('mmfct')
    assert np.isfinite(run['values']['train/loss'])
    tasks = dict(segmentor=['seg', 'seg_aux'], multi_task=['color', 'shape']).get(name, ['label'])
    assert run['table']['tasks'] == tasks
    assert np.shape(run['table'][learned(name)]) == (12, len(tasks))
    assert run['pictures'] == 1  # drawn anew whenever all data were seen
    for task in tasks:
        assert {f'train/weight_{task}_mean', f'train/weight_{task}_std'} <= set(run['values'])


def test_decode_and_auxiliary_head_have_a_task_each(runs):
    run = runs['segmentor']
    assert {'train/decode.loss_ce', 'train/aux.loss_ce'} <= set(run['values'])
    assert run['parameters'] == [
        'decode_head.loss_decode.weighting.log_variance',
        'auxiliary_head.loss_decode.weighting.log_variance',
    ]
    visits, contrasts = np.array(run['table']['visits']), np.array(run['table']['contrast_sum'])
    assert visits.sum(axis=0).tolist() == [22, 22]  # two rounds, in which one of twelve has no label
    assert (visits[3] == 0).all() and (contrasts[3] == 0).all()
    assert (np.delete(contrasts, 3, axis=0) != 0).all() and (contrasts[:, 0] != contrasts[:, 1]).sum() == 11
    weights = np.array(run['table']['instance_weight'])
    assert (weights[3] == 1).all() and np.delete(weights, 3, axis=0).mean(0).tolist() == pytest.approx([1, 1])
    assert (np.array(run['table']['weight']) != weights).all()  # a log-variance of each head is learned too


@pytest.mark.parametrize('name', ['weighted', 'gradient'])
def test_a_classifier_has_a_weight_per_image(runs, name):
    run = runs[name]
    assert run['parameters'] == ['head.loss_module.weighting.log_variance']
    assert (np.array(run['table']['visits']) == 2).all()
    assert (np.array(run['table'][learned(name)]) != 0).all()
    assert 0 <= run['values']['val/accuracy/top1'] <= 100


def test_a_classifier_has_a_temperature_per_image(runs):
    run = runs['temperature']
    assert run['table']['log_variance'] == [0]  # nothing is shared
    assert (np.array(run['table']['deviation']) != 0).all()
    assert 0 <= run['values']['val/accuracy/top1'] <= 100


def test_a_task_that_an_image_does_not_have_keeps_its_parameter(runs):
    table = runs['multi_task']['table']
    annotated = np.array([[task in tasks_of(index) for task in ('color', 'shape')] for index in range(12)])
    assert annotated.sum(axis=0).tolist() == [10, 9]
    assert (np.array(table['visits']) == 2 * annotated).all()
    assert ((np.array(table['contrast_sum']) != 0) == annotated).all()


def test_a_classifier_of_several_labels_has_a_weight_per_image(runs):
    table = runs['multi_label']['table']
    assert (np.array(table['visits']) == 2).all() and (np.array(table['contrast_sum']) != 0).all()
