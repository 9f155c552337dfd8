"""Tests of CityScapes with label maps and depth maps."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import ClassBalancedDataset
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from mmfct.datasets.cityscapes_multi_task import CityscapesMultiTask
from mmfct.datasets.clean_instances import CleanInstances
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.datasets.transforms import LoadDisparity, LoadLabelMap
from mmfct.instances.keys import InstanceKeys

PATHS = ('img_path', 'seg_map_path', 'depth_map_path', 'camera_path')
META_KEYS = (*PATHS[:3], 'sample_idx', 'ori_shape', 'img_shape', 'depth_target')
LOAD_MAPS = [dict(type='mmfct.LoadLabelMap'), dict(type='mmfct.LoadDisparity')]
PACK = dict(type='PackSegInputs', meta_keys=META_KEYS)


@pytest.fixture
def root(tmp_path, files) -> Path:
    return Path(files.write_cityscapes(tmp_path))


def relative(info: dict, root: str) -> list[str | None]:
    return [info[field] and os.path.relpath(info[field], root) for field in PATHS]


def test_annotations_of_the_published_folders(cityscapes_root):
    dataset = CityscapesMultiTask(cityscapes_root, num_classes=7)
    assert len(dataset) == 4
    info = dataset.get_data_info(3)
    assert relative(info, cityscapes_root) == [
        'leftImg8bit/train/bochum/bochum_000003_000019_leftImg8bit.png',
        'gtFine/train/bochum/bochum_000003_000019_gtFine_labelIds.png',
        'disparity/train/bochum/bochum_000003_000019_disparity.png',
        'camera/train/bochum/bochum_000003_000019_camera.json',
    ]
    assert (info['sample_idx'], info['seg_fields'], info['num_classes']) == (3, [], 7)
    names = [Path(dataset.get_data_info(i)['img_path']).name[:13] for i in range(4)]
    assert names == ['aachen_000000', 'aachen_000002', 'bochum_000001', 'bochum_000003']
    assert len(CityscapesMultiTask(cityscapes_root, split='val')) == 2


def test_annotations_of_the_preprocessed_form(tmp_path, files):
    root = files.write_npy(tmp_path, num_train=12, num_val=1, size=(2, 4))
    dataset = CityscapesMultiTask(root, layout='npy', num_classes=19)
    infos = [dataset.get_data_info(i) for i in range(12)]
    assert relative(infos[10], root) == ['train/image/10.npy', 'train/label_19/10.npy', 'train/depth/10.npy', None]
    assert [Path(info['depth_map_path']).stem for info in infos] == [str(i) for i in range(12)]
    assert len(CityscapesMultiTask(root, split='val', layout='npy', num_classes=7)) == 1


def test_meta_information(cityscapes_root):
    dataset = CityscapesMultiTask(cityscapes_root, num_classes=7, metainfo=dict(author='me'), lazy_init=True)
    assert dataset.metainfo['classes'][-1] == 'vehicle'
    assert len(dataset.metainfo['palette']) == 7
    assert dataset.metainfo['author'] == 'me'
    assert dataset.metainfo['reduce_zero_label'] is False
    assert len(CityscapesMultiTask(cityscapes_root).metainfo['classes']) == 19


def test_home_folder_and_indices(cityscapes_root, monkeypatch):
    monkeypatch.setenv('HOME', str(Path(cityscapes_root).parent))
    dataset = CityscapesMultiTask(f'~/{Path(cityscapes_root).name}', indices=[2, 0])
    assert 'bochum' in dataset.get_data_info(0)['img_path']
    assert Path(dataset.get_data_info(0)['img_path']).is_file()


def test_annotations_that_are_not_required_may_be_missing(root):
    shutil.rmtree(root / 'gtFine/train/aachen')
    shutil.rmtree(root / 'camera')
    next((root / 'disparity').rglob('bochum_*3_000019*')).unlink()
    pipeline = [LoadLabelMap(), LoadDisparity()]
    dataset = CityscapesMultiTask(root, require=(), pipeline=[lambda x: {**x, 'ori_shape': (16, 32)}, *pipeline])
    assert [bool(dataset.get_data_info(i)['seg_map_path']) for i in range(4)] == [False, False, True, True]
    assert [bool(dataset.get_data_info(i)['depth_map_path']) for i in range(4)] == [True, True, True, False]
    assert (dataset[0]['gt_seg_map'] == 255).all()
    assert (dataset[3]['gt_depth_map'] == 0).all()
    assert len(CityscapesMultiTask(root, require=(), split='val')) == 2


@pytest.mark.parametrize(
    ('folder', 'require', 'field'),
    [('gtFine', ('seg',), 'seg_map_path'), ('disparity', ('seg', 'depth'), 'depth_map_path')],
)
def test_required_annotations_that_are_missing(root, folder, require, field):
    for path in (root / folder).rglob('aachen_*'):
        path.unlink()
    with pytest.raises(
        FileNotFoundError, match=f'asks for the {field} .* 2 of 4 .* the first is .*{folder}.*aachen_0'
    ):
        CityscapesMultiTask(root, require=require)


def test_missing_arrays(tmp_path, files):
    root = files.write_npy(tmp_path)
    (tmp_path / 'train/depth/2.npy').unlink()
    with pytest.raises(FileNotFoundError, match=r'depth_map_path .* 1 of 4 .* the first is .*train/depth/2\.npy'):
        CityscapesMultiTask(root, layout='npy', num_classes=7)
    assert CityscapesMultiTask(root, layout='npy', require=['seg']).get_data_info(2)['depth_map_path'] is None


def test_camera_files_of_some_images(root):
    next((root / 'camera').rglob('bochum_*')).unlink()
    with pytest.raises(
        FileNotFoundError, match=r'camera files of all .* or of none.* 1 of 4 .*bochum_0.*camera\.json'
    ):
        CityscapesMultiTask(root)


@pytest.mark.parametrize(
    ('layout', 'match'),
    [
        ('cityscapes', r'leftImg8bit/test/<city>/\*_leftImg8bit\.png.*tools/render_street_scenes\.py .*nothing'),
        ('npy', r'test/label_7/<index>\.npy'),
    ],
)
def test_no_images(tmp_path, layout, match):
    for _ in ('missing', 'empty'):
        with pytest.raises(FileNotFoundError, match=rf"{match}.* no image of the split 'test', got '.*nothing'"):
            CityscapesMultiTask(str(tmp_path / 'nothing'), split='test', layout=layout, num_classes=7)
        (tmp_path / 'nothing/leftImg8bit/test').mkdir(parents=True, exist_ok=True)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(num_classes=2), '`num_classes` must be 19 .* got 2; for labels of your own set `label_ids` too'),
        (dict(num_classes=0), '`num_classes` must be from 1 to 253, got 0'),
        (dict(label_ids='mine'), "`label_ids` must be one of .* got 'mine'"),
        (dict(metainfo=dict(classes=('a', 'b'))), r"`metainfo\['classes'\]` must have a name .* 19, got 2"),
        (dict(layout='zip'), "`layout` must be one of .*cityscapes.*npy.*, got 'zip'"),
        (dict(require='seg'), "`require` must be a sequence of names from .*seg.*, got 'seg'"),
        (dict(require=['seg', 'pose']), '`require` must be .* got .*pose'),
    ],
)
def test_bad_options(tmp_path, options, match):
    with pytest.raises(ValueError, match=match):
        CityscapesMultiTask(str(tmp_path), **options)


def with_size(results: dict) -> dict:
    """Stand in for a loader of images."""
    return {**results, 'ori_shape': (16, 32)}


def write_ids(root: Path, low: int, high: int) -> None:
    """Replace all label maps by maps of ids from ``low`` to ``high``."""
    rng = np.random.default_rng(0)
    for path in root.rglob('*_labelIds.png'):
        cv2.imwrite(str(path), rng.integers(low, high + 1, size=(16, 32), dtype=np.uint8))


@pytest.mark.parametrize('high', [6, 18])  # of seven categories; train ids without a pixel that is ignored
def test_ids_that_are_not_those_of_cityscapes(root, high):
    write_ids(root, 0, high)
    with pytest.raises(
        ValueError, match=rf"CityScapes' label ids, got \[0, .*{high}\] in 4 files .*label_ids='classes'"
    ):
        CityscapesMultiTask(root)
    pipeline = [with_size, *LOAD_MAPS]
    own = CityscapesMultiTask(root, num_classes=high + 1, label_ids='classes', pipeline=pipeline)
    path = own.get_data_info(2)['seg_map_path']
    assert (own[2]['gt_seg_map'] == cv2.imread(path, cv2.IMREAD_UNCHANGED)).all()
    assert len(own.metainfo['classes']) == len(own.metainfo['palette']) == high + 1
    trusted = CityscapesMultiTask(root, label_ids='cityscapes', pipeline=pipeline)
    assert (trusted[2]['gt_seg_map'] != 255).any() == (high == 18)


def test_a_few_maps_without_a_high_id_are_label_ids_still(root):
    for path in list(root.rglob('*_labelIds.png'))[:3]:
        cv2.imwrite(str(path), np.full((16, 32), 7, np.uint8))
    assert len(CityscapesMultiTask(root)) == 4


def test_maps_that_cannot_be_read_are_left_to_the_transform(root):
    write_ids(root, 0, 6)
    for path in root.rglob('*_labelIds.png'):
        path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match='is not a readable PNG image'):
        CityscapesMultiTask(root, pipeline=[with_size, *LOAD_MAPS])[0]
    for path in root.rglob('*_labelIds.png'):
        cv2.imwrite(str(path), np.zeros((16, 32), np.uint16))
    with pytest.raises(ValueError, match='8 bits and one channel, got uint16'):
        CityscapesMultiTask(root, pipeline=[with_size, *LOAD_MAPS])[0]


def test_ids_and_names_of_ones_own(root):
    write_ids(root, 40, 42)
    options = dict(num_classes=2, label_ids={40: 255, 41: 0, 42: 1}, metainfo=dict(classes=('cat', 'dog')))
    dataset = CityscapesMultiTask(root, pipeline=[with_size, *LOAD_MAPS], **options)
    assert set(np.unique(dataset[0]['gt_seg_map'])) == {0, 1, 255}
    assert dataset.metainfo['classes'] == ('cat', 'dog')
    colors = CityscapesMultiTask(root, num_classes=100, label_ids='classes', lazy_init=True).metainfo['palette']
    assert len({tuple(color) for color in colors}) == 100 and [0, 0, 0] not in colors


def test_nyu_in_the_preprocessed_form(tmp_path):
    rng = np.random.default_rng(0)
    labels, depth = rng.integers(-1, 13, (2, 8, 8)), rng.uniform(0.5, 9, (2, 8, 8, 1))
    for folder, arrays in dict(image=rng.random((2, 8, 8, 3)), label=labels, depth=depth).items():
        (tmp_path / 'train' / folder).mkdir(parents=True)
        for number, array in enumerate(arrays):
            np.save(tmp_path / f'train/{folder}/{number}.npy', array)
    depths = dict(type='mmfct.LoadDisparity', target='depth', npy_holds='depth')
    pipeline = [dict(type='mmfct.LoadNpyImage'), dict(type='mmfct.LoadLabelMap'), depths]
    dataset = CityscapesMultiTask(str(tmp_path), layout='npy', num_classes=13, pipeline=pipeline)
    assert len(dataset.metainfo['classes']) == 13
    item = dataset[1]
    assert (item['gt_seg_map'] == np.where(labels[1] < 0, 255, labels[1])).all()
    assert np.allclose(item['gt_depth_map'], depth[1, ..., 0])


@pytest.mark.parametrize('layout', ['cityscapes', 'npy'])
def test_host_transforms_keep_image_and_maps_together(cityscapes_root, npy_root, layout):
    pytest.importorskip('mmseg')
    load, data_root = dict(type='LoadImageFromFile'), cityscapes_root
    if layout == 'npy':
        load, data_root = dict(type='mmfct.LoadNpyImage'), npy_root
    flip = dict(type='RandomFlip', prob=1.0, direction='horizontal')
    photometric = dict(type='PhotoMetricDistortion')
    resize = dict(type='Resize', scale=(16, 8))
    common = dict(data_root=data_root, layout=layout, num_classes=7)
    with DefaultScope.overwrite_default_scope('mmseg'):
        plain, flipped, distorted, small = (
            CityscapesMultiTask(**common, pipeline=[load, *LOAD_MAPS, *extra, PACK])[1]
            for extra in ([], [flip], [photometric], [resize])
        )
    sample = plain['data_samples']
    assert plain['inputs'].shape == (3, 16, 32) and plain['inputs'].dtype == torch.uint8
    assert sample.gt_sem_seg.data.shape == (1, 16, 32) and sample.gt_sem_seg.data.dtype == torch.int64
    assert sample.gt_depth_map.data.shape == (1, 16, 32) and sample.gt_depth_map.data.dtype == torch.float32
    assert set(sample.gt_sem_seg.data.unique().tolist()) == {0, 1, 2, 3, 4, 5, 6, 255}
    assert set(META_KEYS) == set(sample.metainfo_keys())
    assert (sample.sample_idx, sample.depth_target, sample.img_shape) == (1, 'inverse_depth', (16, 32))

    other = flipped['data_samples']
    assert torch.equal(flipped['inputs'], plain['inputs'].flip(-1))
    assert torch.equal(other.gt_sem_seg.data, sample.gt_sem_seg.data.flip(-1))
    assert torch.equal(other.gt_depth_map.data, sample.gt_depth_map.data.flip(-1))
    assert not torch.equal(distorted['inputs'], plain['inputs'])
    assert torch.equal(distorted['data_samples'].gt_depth_map.data, sample.gt_depth_map.data)
    # Nearest: no new labels and no depths between known and unknown.
    assert small['inputs'].shape == (3, 8, 16)
    assert torch.equal(small['data_samples'].gt_sem_seg.data, sample.gt_sem_seg.data[:, ::2, ::2])
    assert torch.equal(small['data_samples'].gt_depth_map.data, sample.gt_depth_map.data[:, ::2, ::2])


def test_maps_loaded_after_a_resize_keep_their_size(cityscapes_root):
    """As mmseg validates: predictions are brought back to the size of the labels."""
    pytest.importorskip('mmseg')
    resize = dict(type='Resize', scale=(16, 8))
    with DefaultScope.overwrite_default_scope('mmseg'):
        pipeline = [dict(type='LoadImageFromFile'), resize, *LOAD_MAPS, PACK]
        item = CityscapesMultiTask(cityscapes_root, num_classes=7, pipeline=pipeline)[0]
    assert item['inputs'].shape == (3, 8, 16)
    assert item['data_samples'].gt_sem_seg.shape == item['data_samples'].ori_shape == (16, 32)


def test_batches_of_a_stock_loader_and_iou_of_the_host(cityscapes_root):
    metrics = pytest.importorskip('mmseg.evaluation')
    dataset = dict(
        type='mmfct.CityscapesMultiTask',
        data_root=cityscapes_root,
        num_classes=7,
        pipeline=[dict(type='LoadImageFromFile'), *LOAD_MAPS, PACK],
    )
    sampler = dict(type='DefaultSampler', shuffle=False)
    with DefaultScope.overwrite_default_scope('mmseg'):
        loader = Runner.build_dataloader(dict(batch_size=2, num_workers=0, sampler=sampler, dataset=dataset), seed=0)
        metric = metrics.IoUMetric(iou_metrics=['mIoU'])
        metric.dataset_meta = loader.dataset.metainfo
        for batch in loader:
            samples = [sample.to_dict() for sample in batch['data_samples']]
            for sample in samples:
                sample['pred_sem_seg'] = dict(data=sample['gt_sem_seg']['data'].clamp(max=6))
            metric.process(batch, samples)
        scores = metric.evaluate(4)
    assert scores['mIoU'] == 100


def test_moving_the_data_changes_no_instance_key(tmp_path, files):
    first = tmp_path / 'here'
    files.write_cityscapes(first)
    before = InstanceKeys.of(CityscapesMultiTask(str(first)))
    shutil.move(first, tmp_path / 'far/away')
    after = InstanceKeys.of(CityscapesMultiTask(str(tmp_path / 'far/away')))
    assert after.keys == before.keys
    assert after.keys[0] == 'aachen/aachen_000000_000019_leftImg8bit.png'
    assert after.fingerprint == before.fingerprint
    next(Path(tmp_path, 'far/away/leftImg8bit/train/aachen').glob('*.png')).unlink()
    assert InstanceKeys.of(CityscapesMultiTask(str(tmp_path / 'far/away'))).fingerprint != before.fingerprint


@pytest.mark.parametrize('wrap', ['plain', 'corrupt', 'clean'])
def test_rare_classes_are_repeated(root, wrap):
    """One of four images has a bus, which a third of the images should have."""
    paths = sorted(root.rglob('train/*/*_labelIds.png'))
    for number, path in enumerate(paths):
        cv2.imwrite(str(path), np.full((16, 32), 28 if number == 2 else 26, np.uint8))
    paths[3].unlink()
    dataset = CityscapesMultiTask(root, require=['depth'])
    assert [dataset.get_cat_ids(i) for i in range(4)] == [[13], [13], [15], []]
    names = [Path(dataset.get_data_info(i)['img_path']).name for i in range(4)]
    bus, config = 2, dataset
    if wrap == 'corrupt':
        config = dict(type=CorruptLabels, dataset=dataset, fractions=dict(seg=1.0))
        corrupt = CorruptLabels(dataset, dict(seg=1.0))
        bus = [corrupt.get_data_info(i)['seg_map_path'] for i in range(4)].index(str(paths[2]))
        assert corrupt.get_cat_ids(bus) == [15] and bus != 2
    elif wrap == 'clean':
        config = dict(type=CleanInstances, dataset=CorruptLabels(dataset, dict(depth=0.5), seed=1))
        clean = CleanInstances(config['dataset'])
        kept = [Path(clean.get_data_info(i)['img_path']).name for i in range(len(clean))]
        assert [clean.get_cat_ids(i) == [15] for i in range(2)] == [name == names[2] for name in kept]
        assert names[2] in kept
    balanced = ClassBalancedDataset(config, oversample_thr=0.3)
    if wrap == 'clean':  # a half has the bus, and the other half a car
        assert balanced.repeat_indices == [0, 1]
    else:
        assert balanced.repeat_indices == sorted([*range(4), bus])
