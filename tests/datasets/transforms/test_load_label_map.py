"""Tests of the transform that loads label maps."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from mmfct.datasets.cityscapes_labels import class_names, class_table
from mmfct.datasets.transforms import LoadLabelMap


def load(path, num_classes=None, size=(3, 4), **results):
    results = dict(ori_shape=size, img_path='a.png', seg_map_path=path and str(path), **results)
    return LoadLabelMap(num_classes)(results)


def png(path, array):
    cv2.imwrite(str(path), array)
    return path


def npy(path, array):
    np.save(path, array)
    return path


@pytest.mark.parametrize('num_classes', [7, 19])
def test_label_ids_become_classes(tmp_path, num_classes):
    ids = np.arange(34, dtype=np.uint8).reshape(2, 17)
    results = load(png(tmp_path / 'a.png', ids), num_classes, size=(2, 17))
    table = class_table(num_classes)
    assert results['gt_seg_map'].dtype == np.uint8
    assert results['seg_fields'] == ['gt_seg_map']
    assert results['gt_seg_map'].tolist() == [[table[i] for i in row] for row in ids.tolist()]
    car = results['gt_seg_map'][1, 26 - 17]
    assert class_names(num_classes)[car] == ('vehicle' if num_classes == 7 else 'car')


@pytest.mark.parametrize('dtype', [np.float64, np.int64, np.int8])
def test_arrays_hold_classes(tmp_path, dtype):
    classes = np.array([[-1, 0, 6, 3]] * 3, dtype)
    results = load(npy(tmp_path / 'a.npy', classes), num_classes=7)
    assert results['gt_seg_map'].dtype == np.uint8
    assert results['gt_seg_map'].tolist() == [[255, 0, 6, 3]] * 3


def test_the_data_set_says_how_many_classes_there_are(tmp_path):
    path = npy(tmp_path / 'a.npy', np.full((3, 4), 18))
    assert (load(path, num_classes=19)['gt_seg_map'] == 18).all()
    with pytest.raises(ValueError, match='0 to 6'):
        LoadLabelMap()(dict(ori_shape=(3, 4), seg_map_path=str(path), num_classes=7))
    with pytest.raises(ValueError, match='`num_classes` must be given where the data set does not say it, got None'):
        load(path)


def test_image_without_a_label_map():
    results = load(None, num_classes=7, seg_fields=['gt_depth_map'])
    assert results['gt_seg_map'].shape == (3, 4) and (results['gt_seg_map'] == 255).all()
    assert results['seg_fields'] == ['gt_depth_map', 'gt_seg_map']


@pytest.mark.parametrize(
    ('name', 'array', 'match'),
    [
        (
            'a.png',
            np.full((3, 4), 34, np.uint8),
            r'a\.png must hold label ids from 0 to 33, got 34; .*labelTrainIds.*`label_ids`',
        ),
        ('a.png', np.full((3, 4), 255, np.uint8), r'a\.png must hold label ids from 0 to 33, got 255; .*`label_ids`'),
        ('a.png', np.zeros((3, 4, 3), np.uint8), r'a\.png must be .*8 bits and one channel, got uint8 of .*\(3, 4, 3'),
        ('a.png', np.zeros((3, 4), np.uint16), r'a\.png must be .*8 bits and one channel, got uint16'),
        ('a.png', np.zeros((3, 5), np.uint8), r'a\.png must have the size \(3, 4\) of its image .* got .*\(3, 5\)'),
        ('a.npy', np.full((3, 4), 7.0), r'a\.npy must hold classes from 0 to 6, .* got 7\.0'),
        ('a.npy', np.full((3, 4), -2), r'a\.npy must hold classes .* got -2'),
        ('a.npy', np.full((3, 4), 0.5), r'a\.npy must hold classes .* got 0\.5'),
        ('a.npy', np.full((3, 4), np.nan), r'a\.npy must hold finite numbers'),
        ('a.npy', np.zeros((4, 3)), r'a\.npy must have the size \(3, 4\) of its image a\.png, got .*\(4, 3\)'),
    ],
)
def test_bad_label_maps(tmp_path, name, array, match):
    write = png if name.endswith('png') else npy
    with pytest.raises(ValueError, match=match):
        load(write(tmp_path / name, array), num_classes=7)


@pytest.mark.parametrize('num_classes', [0, 254, -1])
def test_bad_number_of_classes(num_classes):
    with pytest.raises(ValueError, match=rf'`num_classes` must be from 1 to 253, got {num_classes}'):
        LoadLabelMap(num_classes=num_classes)


def test_label_ids_form_7_or_19_classes(tmp_path):
    with pytest.raises(ValueError, match=r'`num_classes` must be 19 \(classes\) or 7 \(categories\), got 5'):
        load(png(tmp_path / 'a.png', np.full((3, 4), 26, np.uint8)), num_classes=5)


def test_files_of_classes_with_an_ignored_one(tmp_path):
    path = png(tmp_path / 'a.png', np.array([[0, 12, 255, 7]] * 3, np.uint8))
    results = LoadLabelMap(13, label_ids='classes')(dict(ori_shape=(3, 4), seg_map_path=str(path)))
    assert results['gt_seg_map'].tolist() == [[0, 12, 255, 7]] * 3
    with pytest.raises(ValueError, match=r'must hold label ids out of \[0, 1, .*11, 255\], got 12'):
        load(path, num_classes=12, label_ids='classes')


def test_ids_of_ones_own(tmp_path):
    path = png(tmp_path / 'a.png', np.array([[0, 40, 80, 120]] * 3, np.uint8))
    own = {0: 255, 40: 0, 80: 1, 120: 0}
    assert load(path, num_classes=2, label_ids=own)['gt_seg_map'].tolist() == [[255, 0, 1, 0]] * 3
    results = LoadLabelMap(3, own | {0: 2})(
        dict(ori_shape=(3, 4), seg_map_path=str(path), num_classes=2, label_ids=own)
    )
    assert results['gt_seg_map'].tolist() == [[2, 0, 1, 0]] * 3  # the option goes before the data set
    with pytest.raises(ValueError, match=r'a\.png must hold label ids out of \[0, 40, 80\], got 120'):
        load(path, num_classes=2, label_ids={0: 255, 40: 0, 80: 1})


@pytest.mark.parametrize(
    ('label_ids', 'match'),
    [
        ('trainIds', r"`label_ids` must be one of \('cityscapes', 'classes'\), a dict .*, got 'trainIds'"),
        ({0: 2}, r'`label_ids` must map ids from 0 to 255 to classes from 0 to 1, or to 255 .*, got \{0: 2\}'),
        ({256: 0}, r'`label_ids` must map ids .* got \{256: 0\}'),
        ({'road': 0}, r"`label_ids` must map ids .* got \{'road': 0\}"),
        ({}, r'`label_ids` must map ids .* got \{\}'),
    ],
)
def test_bad_label_ids(label_ids, match):
    with pytest.raises(ValueError, match=match):
        LoadLabelMap(2, label_ids)


def test_an_image_of_no_data_set_has_no_labels():
    image = dict(img=np.zeros((3, 4, 3), np.uint8), ori_shape=(3, 4))  # as mmseg's inferencers load it
    assert LoadLabelMap()(dict(image)).keys() == image.keys()
    with pytest.raises(KeyError, match='seg_map_path'):  # a data set that names no label map is a mistake
        LoadLabelMap(7)(dict(image, sample_idx=0))
