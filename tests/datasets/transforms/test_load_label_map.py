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
        ('a.png', np.full((3, 4), 34, np.uint8), r'a\.png must hold label ids from 0 to 33 .*labelTrainIds.* got 34'),
        ('a.png', np.full((3, 4), 255, np.uint8), r'a\.png must hold label ids from 0 to 33 .* got 255'),
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


def test_bad_number_of_classes():
    with pytest.raises(ValueError, match=r'`num_classes` must be one of \(19, 7\) or None, got 5'):
        LoadLabelMap(num_classes=5)


def test_an_image_of_no_data_set_has_no_labels():
    image = dict(img=np.zeros((3, 4, 3), np.uint8), ori_shape=(3, 4))  # as mmseg's inferencers load it
    assert LoadLabelMap()(dict(image)).keys() == image.keys()
    with pytest.raises(KeyError, match='seg_map_path'):  # a data set that names no label map is a mistake
        LoadLabelMap(7)(dict(image, sample_idx=0))
