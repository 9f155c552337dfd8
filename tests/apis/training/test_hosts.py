"""Stock models of the hosts, trained and tested with this project's commands, and opened with the hosts' own."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.test import test as run_test
from mmfct.apis.training.train import train

CLASSES = ('sea', 'sand', 'palm')
PALETTE = [[0, 0, 255], [255, 255, 0], [0, 255, 0]]

SEGMENTOR = """
default_scope = 'mmseg'
model = dict(
    type='EncoderDecoder',
    data_preprocessor=dict(
        type='SegDataPreProcessor', size_divisor=32, seg_pad_val=255, test_cfg=dict(size_divisor=32)
    ),
    backbone=dict(type='ResNet', depth=18, base_channels=8, norm_cfg=dict(type='BN')),
    decode_head=dict(
        type='FCNHead',
        in_channels=64,
        in_index=3,
        channels=8,
        num_convs=1,
        concat_input=False,
        num_classes=3,
        norm_cfg=dict(type='BN'),
        loss_decode=dict(type='CrossEntropyLoss'),
    ),
    train_cfg=dict(),
    test_cfg=dict(mode='whole'),
)
data = dict(
    type='BaseSegDataset',
    metainfo=dict(classes={classes}, palette={palette}),
    data_root='{folder}/maps',
    data_prefix=dict(img_path='images', seg_map_path='labels'),
    img_suffix='.png',
)
test_pipeline = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
train_dataloader = dict(
    batch_size=3,
    num_workers=0,
    persistent_workers=True,  # a base that is not meant for 0 workers
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(**data, pipeline=test_pipeline),
)
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(**data, pipeline=test_pipeline),
)
test_evaluator = dict(type='IoUMetric', iou_metrics=['mIoU'])
test_cfg = dict()
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
train_cfg = dict(by_epoch=True, max_epochs=1)
randomness = dict(seed=0)
log_level = 'ERROR'
visualizer = dict(type='SegLocalVisualizer')
"""

CLASSIFIER = """
_base_ = 'mmpretrain::resnet/resnet18_8xb32_in1k.py'
crop = [dict(type='ResizeEdge', scale=16), dict(type='CenterCrop', crop_size=16)]
test_pipeline = [dict(type='LoadImageFromFile'), *crop, dict(type='PackInputs')]
data = dict(type='CustomDataset', data_root='{folder}/classes', classes={classes}, pipeline=test_pipeline)
train_dataloader = dict(batch_size=3, num_workers=0, dataset=dict(_delete_=True, **data))
val_dataloader = dict(batch_size=3, num_workers=0, dataset=dict(_delete_=True, **data))
test_dataloader = val_dataloader
val_evaluator = dict(topk=(1,))
test_evaluator = val_evaluator
model = dict(head=dict(num_classes=3, topk=(1,)))
train_cfg = dict(max_epochs=1)
log_level = 'ERROR'
"""


@pytest.fixture(scope='module')
def folder(tmp_path_factory) -> Path:
    """Six pictures of several sizes, as a data set of maps and as one of classes."""
    import cv2

    folder, rng = tmp_path_factory.mktemp('hosts'), np.random.default_rng(0)
    for name in ('maps/images', 'maps/labels', *(f'classes/{name}' for name in CLASSES)):
        (folder / name).mkdir(parents=True)
    for index in range(6):
        size = (24 + 4 * index, 40 - 3 * index)
        image = rng.integers(256, size=(*size, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f'maps/images/{index}.png'), image)
        cv2.imwrite(str(folder / f'maps/labels/{index}.png'), rng.integers(3, size=size, dtype=np.uint8))
        cv2.imwrite(str(folder / 'classes' / CLASSES[index % 3] / f'{index}.png'), image)
    for name, text in dict(segmentor=SEGMENTOR, classifier=CLASSIFIER).items():
        for key, value in dict(classes=CLASSES, palette=PALETTE, folder=str(folder)).items():
            text = text.replace(f"'{{{key}}}", f"'{value}").replace(
                f'{{{key}}}', repr(value) if key != 'folder' else value
            )
        (folder / f'{name}.py').write_text(text)
    return folder


@pytest.fixture(scope='module')
def trained(folder, plain_config_text) -> dict[str, str]:
    """``final.pth`` of both models."""
    for name in ('segmentor', 'classifier'):
        train(str(folder / f'{name}.py'), TrainingOptions(work_dir=str(folder / name)))
    return {name: str(folder / name / 'final.pth') for name in ('segmentor', 'classifier')}


def test_final_checkpoint_has_the_meta_information_of_a_checkpoint_of_the_host(folder, trained):
    for name in trained:
        ours = torch.load(trained[name], weights_only=True)['meta']
        theirs = torch.load(folder / name / 'epoch_1.pth', weights_only=False)['meta']
        assert ours['dataset_meta']['classes'] == tuple(theirs['dataset_meta']['classes']) == CLASSES
        assert ours['dataset_meta'].keys() == theirs['dataset_meta'].keys()
        assert ours['cfg'] == theirs['cfg']


def test_mmseg_opens_a_final_checkpoint(folder, trained):
    from mmseg.apis import MMSegInferencer, inference_model, init_model

    with warnings.catch_warnings():
        warnings.filterwarnings('error', message='.*dataset_meta')
        model = init_model(str(folder / 'segmentor.py'), trained['segmentor'], device='cpu')
        inferencers = [
            MMSegInferencer(None, trained['segmentor'], device='cpu'),  # with the config in the checkpoint
            MMSegInferencer(str(folder / 'segmentor.py'), trained['segmentor'], device='cpu'),
        ]
    assert model.dataset_meta['classes'] == CLASSES and model.dataset_meta['palette'] == PALETTE
    image = np.zeros((24, 40, 3), np.uint8)
    expected = inference_model(model, image).pred_sem_seg.data
    for inferencer in inferencers:
        assert inferencer.model.dataset_meta == dict(classes=CLASSES, palette=PALETTE)
        assert torch.equal(inferencer(image, return_datasamples=True).pred_sem_seg.data, expected)


def test_mmpretrain_opens_a_final_checkpoint(folder, trained):
    from mmpretrain import ImageClassificationInferencer

    config = Config.fromfile(folder / 'classifier.py')
    inferencer = ImageClassificationInferencer(config, trained['classifier'], device='cpu')
    assert inferencer.classes == CLASSES
    assert inferencer(np.zeros((20, 20, 3), np.uint8))[0]['pred_class'] in CLASSES


def test_a_segmentor_that_trains_on_images_of_several_sizes_has_the_weights_of_a_stock_runner(
    folder, trained, tmp_path, plain_config_text
):
    config = Config.fromfile(folder / 'segmentor.py')
    config.work_dir = str(tmp_path)
    config.train_dataloader.persistent_workers = False
    runner = Runner.from_cfg(config)
    runner.train()
    ours = torch.load(trained['segmentor'], weights_only=True)['state_dict']
    torch.testing.assert_close(ours, dict(runner.model.state_dict()))


def test_tta_of_a_segmentor_takes_the_model_of_its_host(folder, trained, tmp_path, plain_config_text):
    config = tmp_path / 'tta.py'
    text = (folder / 'segmentor.py').read_text()
    options = TrainingOptions(work_dir=str(tmp_path / 'work'))
    config.write_text(text)
    with pytest.raises(ValueError, match=r"`--tta` needs `tta_pipeline` in the config.*`default_scope` is 'mmseg'"):
        run_test(str(config), trained['segmentor'], options, tta=True)
    flips = '[dict(type="RandomFlip", prob=0.0, direction="horizontal"), dict(type="RandomFlip", prob=1.0)]'
    steps = f'{flips}, [dict(type="LoadAnnotations")], [dict(type="PackSegInputs")]'
    config.write_text(
        f'{text}\ntta_pipeline = [dict(type="LoadImageFromFile"), dict(type="TestTimeAug", transforms=[{steps}])]'
    )
    plain = run_test(str(config), trained['segmentor'], options)
    flipped = run_test(str(config), trained['segmentor'], options, tta=True)
    assert flipped.keys() == plain.keys() and all(np.isfinite([*flipped.values()]))
    text = config.read_text().replace("'EncoderDecoder'", "'mmfct.MultiTaskSegmentor'")
    config.write_text(f"{text}\ntta_model = dict(type='SegTTAModel')")
    with pytest.raises(ValueError, match=r"must merge the predictions of every task, got mmseg's SegTTAModel.*leave"):
        run_test(str(config), trained['segmentor'], options, tta=True)


def test_tta_needs_a_model_where_the_host_has_no_default(folder, trained, tmp_path):
    config = tmp_path / 'tta.py'
    config.write_text(
        (folder / 'segmentor.py').read_text().replace("default_scope = 'mmseg'", "default_scope = 'mmengine'")
    )
    with pytest.raises(ValueError, match=r"`--tta` needs `tta_model` in the config.* got none .*'mmengine'"):
        run_test(str(config), trained['segmentor'], TrainingOptions(work_dir=str(tmp_path)), tta=True)
