"""A tiny street data set in CityScapes' folders, and a config that trains both tasks on it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

CONFIG = """
default_scope = 'mmseg'
data_root = {root!r}
corrupted = dict(depth=0.25)
load = [dict(type='LoadImageFromFile'), dict(type='mmfct.LoadLabelMap'), dict(type='mmfct.LoadDisparity')]
pack = dict(type='PackSegInputs', meta_keys=('img_path', 'sample_idx', 'ori_shape', 'img_shape'))
street = dict(type='mmfct.CityscapesMultiTask', data_root=data_root, num_classes=7, require=())
norm = dict(type='BN', requires_grad=True)
head = dict(type='FCNHead', in_channels=16, channels=8, num_convs=1, in_index=1, norm_cfg=norm)
seg_loss = dict(type='CrossEntropyLoss', avg_non_ignore=True)
backbone = dict(
    type='ResNetV1c', depth=18, stem_channels=8, base_channels=8, num_stages=2, strides=(1, 1), dilations=(1, 1),
    out_indices=(0, 1), norm_cfg=norm
)
preprocessor = dict(type='SegDataPreProcessor', mean=[100] * 3, std=[60] * 3, bgr_to_rgb=True, size=(16, 32))
model = dict(
    type='mmfct.MultiTaskSegmentor',
    data_preprocessor=preprocessor,
    backbone=backbone,
    tasks=dict(
        seg=dict(type='mmfct.SegmentationTask', head=dict(head, num_classes=7, loss_decode=seg_loss)),
        depth=dict(type='mmfct.DepthTask', head=dict(head, num_classes=1, threshold=0.5)),
    ),
    weighting=dict(type='mmfct.InstanceTaskWeighting'),
)
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmfct.CorruptLabels',
        fractions=corrupted,
        dataset=dict(street, pipeline=[*load, dict(type='RandomFlip', prob=0.5), pack]),
    ),
)
val_dataloader = dict(
    batch_size=3,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(street, split='val', pipeline=[*load, pack]),
)
custom_hooks = [dict(type='mmfct.InstanceTaskWeightHook', histogram=False)]
"""


def write_street(root: Path, split: str, name: str, rng: np.random.Generator) -> None:
    """One image of sky, building and road with its labels and disparities, 16 x 32 pixels."""
    labels = np.full((16, 32), 7, np.uint8)
    labels[: rng.integers(3, 8)] = 23
    labels[5:10, rng.integers(4, 16) :] = 11
    colors = np.zeros((256, 3))
    colors[[7, 11, 23]] = (120, 60, 120), (70, 70, 70), (200, 130, 70)
    image = np.clip(rng.normal(colors[labels], 10), 0, 255).astype(np.uint8)
    disparity = np.where(labels == 23, 0, rng.integers(200, 900) + 40 * np.arange(16)[:, None]).astype(np.uint16)
    files = dict(
        leftImg8bit=('leftImg8bit', image), gtFine=('gtFine_labelIds', labels), disparity=('disparity', disparity)
    )
    for folder, (suffix, content) in files.items():
        path = root / folder / split / 'aachen' / f'{name}_{suffix}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), content)


@pytest.fixture(scope='session')
def street_root(tmp_path_factory) -> Path:
    """Twelve images to train on; the third has no label map, the fifth no disparities."""
    root, rng = tmp_path_factory.mktemp('street'), np.random.default_rng(0)
    for index in range(12):
        write_street(root, 'train', f'aachen_{index:02d}', rng)
    write_street(root, 'val', 'aachen_90', rng)
    (root / 'gtFine/train/aachen/aachen_02_gtFine_labelIds.png').unlink()
    (root / 'disparity/train/aachen/aachen_04_disparity.png').unlink()
    return root


@pytest.fixture(scope='session')
def street(street_root, plain_config_text) -> SimpleNamespace:
    """``config`` file, and a ``checkpoint`` as the hook writes it, with random weights and parameters that fit.

    ``corrupted`` says which depth maps are wrong: their parameters are larger than all others.
    """
    from mmengine.config import Config
    from mmengine.registry import DATASETS, MODELS, DefaultScope

    from mmfct.instances.keys import InstanceKeys

    path = street_root / 'street.py'
    path.write_text(CONFIG.format(root=str(street_root)))
    config = Config.fromfile(path)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmseg'):
        model = MODELS.build(config.model)
        dataset = DATASETS.build(config.train_dataloader.dataset)
    corrupted = dataset.corrupted['depth']
    deviation = torch.rand(12, 2)
    deviation[:, 1] += 3 * torch.from_numpy(corrupted)
    table = dict(
        tasks=['seg', 'depth'],
        log_variance=torch.tensor([-1.0, 0.5]),
        factor=torch.tensor([1.0, 1.0]),
        exponent=torch.tensor([1.0, 0.5]),
        deviation=deviation,
        velocity=None,
        loss_sum=torch.rand(12, 2),
        visits=torch.randint(1, 5, (12, 2), dtype=torch.int32),
        fingerprint=InstanceKeys.of(dataset).fingerprint,
    )
    checkpoint = street_root / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict(), instance_task_weights=table), checkpoint)
    return SimpleNamespace(config=str(path), checkpoint=str(checkpoint), table=table, corrupted=corrupted)
