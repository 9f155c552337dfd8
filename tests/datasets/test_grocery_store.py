"""Tests of the Grocery Store data set."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope

from mmfct.datasets import GroceryStore

# path -> (fine, coarse)
LISTS = {
    'train': {
        'train/Fruit/Pear/Anjou/Anjou_001.jpg': (2, 1),
        'train/Fruit/Apple/Golden/Golden_001.jpg': (0, 0),
        'train/Fruit/Apple/Granny/Granny_001.jpg': (1, 0),
    },
    'val': {'val/Fruit/Apple/Golden/Golden_001.jpg': (0, 0)},
    'test': {'test/Fruit/Apple/Golden/Golden_001.jpg': (0, 0)},
}
CLASSES = """Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),Icon
Golden,0,Apple,0,/a.jpg
Granny,1,Apple,0,/b.jpg
Anjou,2,Pear,1,/c.jpg
"""


def _jpeg(seed: int, *, height: int = 60, width: int = 40) -> bytes:
    """A picture of one colour, which JPEG keeps."""
    color = np.random.default_rng(seed).integers(0, 256, 3)
    img = np.full((height, width, 3), color, dtype=np.uint8)
    return cv2.imencode('.jpg', img)[1].tobytes()


@pytest.fixture
def data_root(tmp_path) -> Path:
    """Miniature of the data set with a tar file."""
    for split, images in LISTS.items():
        lines = [f'{path}, {fine}, {coarse}' for path, (fine, coarse) in images.items()]
        (tmp_path / f'{split}.txt').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'classes.csv').write_text(CLASSES)
    with tarfile.open(tmp_path / 'images.tar', 'w') as tar:
        names = [path for images in LISTS.values() for path in images]
        for seed, name in enumerate(sorted([*names, '../outside.jpg', '/absolute.jpg'])):
            data = _jpeg(seed)
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return tmp_path


def _infos(dataset: GroceryStore) -> list[dict]:
    return [dataset.get_data_info(i) for i in range(len(dataset))]


@pytest.mark.parametrize('split', ['train', 'val', 'test', ('train', 'val'), ['test', 'train']])
def test_images_come_in_the_order_of_the_lists(data_root, split):
    dataset = GroceryStore(str(data_root), split=split)
    splits = [split] if isinstance(split, str) else split
    expected = {path: fine for name in splits for path, (fine, _) in LISTS[name].items()}
    assert {info['img_path']: info['gt_label'] for info in _infos(dataset)} == expected
    assert [info['img_path'] for info in _infos(dataset)] == list(expected)
    assert [dataset.get_cat_ids(i) for i in range(len(dataset))] == [[label] for label in expected.values()]


@pytest.mark.parametrize(
    ('labels', 'classes', 'expected'),
    [('fine', ('Golden', 'Granny', 'Anjou'), [2, 0, 1]), ('coarse', ('Apple', 'Pear'), [1, 0, 0])],
)
def test_fine_and_coarse_labels(data_root, labels, classes, expected):
    dataset = GroceryStore(str(data_root), labels=labels)
    assert dataset.metainfo['classes'] == classes
    assert [info['gt_label'] for info in _infos(dataset)] == expected


@pytest.mark.parametrize(('height', 'width', 'shape'), [(60, 40, (30, 20)), (40, 60, (20, 30)), (40, 41, (20, 20))])
def test_shorter_side_is_resized_and_aspect_ratio_kept(data_root, height, width, shape):
    (data_root / 'images.tar').unlink()
    path = data_root / next(iter(LISTS['val']))
    path.parent.mkdir(parents=True)
    path.write_bytes(_jpeg(7, height=height, width=width))
    info = GroceryStore(str(data_root), split='val', image_size=20).get_data_info(0)
    assert info['img'].shape == (*shape, 3)
    assert info['img'].dtype == np.uint8
    assert info['img_shape'] == info['ori_shape'] == shape
    color = np.random.default_rng(7).integers(0, 256, 3)  # BGR, as OpenCV writes
    assert np.abs(info['img'].astype(int) - color).max() <= 3


@pytest.mark.parametrize('folder', ['images', '.'])
def test_unpacked_images_give_the_same_as_the_tar_file(data_root, tmp_path_factory, folder):
    unpacked = tmp_path_factory.mktemp('unpacked')
    for name in ('train.txt', 'classes.csv'):
        shutil.copy(data_root / name, unpacked)
    with tarfile.open(data_root / 'images.tar') as tar:
        for path in LISTS['train']:
            target = unpacked / folder / path
            target.parent.mkdir(parents=True)
            target.write_bytes(tar.extractfile(path).read())
    pairs = zip(_infos(GroceryStore(str(data_root))), _infos(GroceryStore(str(unpacked))), strict=True)
    for first, second in pairs:
        np.testing.assert_array_equal(first.pop('img'), second.pop('img'))
        assert first == second


def test_member_names_with_a_leading_dot(data_root):
    with (
        tarfile.open(data_root / 'images.tar') as old,
        tarfile.open(data_root / 'dotted.tar', 'w') as new,
    ):
        for member in old:
            data = old.extractfile(member)
            member.name = f'./{member.name}'
            new.addfile(member, data)
    (data_root / 'dotted.tar').replace(data_root / 'images.tar')
    assert len(GroceryStore(str(data_root))) == 3


def test_nothing_is_written(data_root):
    before = sorted(data_root.parent.rglob('*'))
    GroceryStore(str(data_root))
    assert sorted(data_root.parent.rglob('*')) == before


def test_options_of_mmengine_reach_the_base_class(data_root):
    options = dict(metainfo=dict(task='shop'), indices=[2, 1], serialize_data=False)
    dataset = GroceryStore(str(data_root), lazy_init=True, test_mode=True, max_refetch=3, **options)
    assert not dataset._fully_initialized
    assert [info['gt_label'] for info in _infos(dataset)] == [1, 0]
    assert dataset.metainfo['task'] == 'shop'
    assert dataset.test_mode
    assert dataset.max_refetch == 3


def test_stock_transforms_of_mmpretrain_work(data_root):
    pytest.importorskip('mmpretrain')
    pipeline = [
        dict(type='RandomResizedCrop', scale=24),
        dict(type='RandomFlip', prob=0.5),
        dict(type='ColorJitter', brightness=0.2),
        dict(type='PackInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(dict(type='mmfct.GroceryStore', data_root=str(data_root), pipeline=pipeline))
    item = dataset[0]
    assert item['inputs'].shape == (3, 24, 24)
    assert item['inputs'].dtype == torch.uint8
    assert item['data_samples'].gt_label.tolist() == [2]
    assert item['data_samples'].img_path == next(iter(LISTS['train']))


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(split='training'), r"`split` must be one of .*'val'.*, got 'training'"),
        (dict(split=()), '`split` must be one of'),
        (dict(split=('train', 'train')), '`split` must be one of'),
        (dict(labels='iconic'), "`labels` must be 'fine' or 'coarse', got 'iconic'"),
        (dict(image_size=0), '`image_size` must be at least 1, got 0'),
    ],
)
def test_bad_options(data_root, options, match):
    with pytest.raises(ValueError, match=match):
        GroceryStore(str(data_root), **options)


@pytest.mark.parametrize('name', ['train.txt', 'classes.csv'])
def test_missing_file_names_the_path_and_the_source(data_root, name):
    (data_root / name).unlink()
    with pytest.raises(FileNotFoundError, match=r'Grocery Store data set .*marcusklasson') as error:
        GroceryStore(str(data_root))
    assert str(data_root / name) in str(error.value)


def test_missing_images(data_root):
    (data_root / 'images.tar').unlink()
    first = next(iter(LISTS['train']))
    with pytest.raises(FileNotFoundError, match=f'3 of 3 in the lists are missing.*{first}'):
        GroceryStore(str(data_root))


@pytest.mark.parametrize('text', ['', '\n \n'])
def test_empty_list(data_root, text):
    (data_root / 'train.txt').write_text(text)
    with pytest.raises(ValueError, match=r'train\.txt in `data_root` must list images'):
        GroceryStore(str(data_root))


@pytest.mark.parametrize('line', ['train/a.jpg', 'train/a.jpg, 1', 'train/a.jpg, one, 0'])
def test_malformed_line(data_root, line):
    (data_root / 'train.txt').write_text(line)
    with pytest.raises(ValueError, match=f"must have lines `path, fine, coarse`, got '{line}'"):
        GroceryStore(str(data_root))


@pytest.mark.parametrize('label', [-1, 3])
def test_label_without_a_class(data_root, label):
    (data_root / 'train.txt').write_text(f'train/a.jpg, {label}, 0')
    with pytest.raises(ValueError, match='must have fine labels from 0 to 2, as classes.csv has'):
        GroceryStore(str(data_root))


@pytest.mark.parametrize('text', ['name,id\nGolden,0\n', CLASSES.replace('Golden,0', 'Golden,x')])
def test_malformed_class_table(data_root, text):
    (data_root / 'classes.csv').write_text(text)
    with pytest.raises(ValueError, match=r'must have the columns `Class ID \(int\)`'):
        GroceryStore(str(data_root))


@pytest.mark.parametrize('text', ['', CLASSES.replace('Granny,1', 'Granny,5')])
def test_class_table_with_a_gap(data_root, text):
    (data_root / 'classes.csv').write_text(text)
    with pytest.raises(ValueError, match='must number the classes from 0 without a gap'):
        GroceryStore(str(data_root))


@pytest.mark.parametrize('size', [20, 1024])
def test_damaged_tar(data_root, size):
    data = (data_root / 'images.tar').read_bytes()
    (data_root / 'images.tar').write_bytes(data[:size])
    with pytest.raises(ValueError, match=r'images\.tar is damaged'):
        GroceryStore(str(data_root))


@pytest.mark.parametrize('data', [b'', b'not an image'])
def test_unreadable_image(data_root, data):
    (data_root / 'images.tar').unlink()
    path = next(iter(LISTS['val']))
    (data_root / path).parent.mkdir(parents=True)
    (data_root / path).write_bytes(data)
    with pytest.raises(ValueError, match=f'{path} in `data_root` is not a readable image'):
        GroceryStore(str(data_root), split='val')


def test_published_files(real_images):
    root, sizes = real_images('grocery-store-128'), {}
    for split in ('train', 'val', 'test'):
        dataset = GroceryStore(root, split=split)
        sizes[split] = len(dataset)
        assert len(dataset.metainfo['classes']) == 81
        assert min(dataset.get_data_info(0)['img'].shape[:2]) == 72
    assert sizes == dict(train=2640, val=296, test=2485)
    coarse = GroceryStore(root, split='val', labels='coarse')
    assert len(coarse.metainfo['classes']) == 43
