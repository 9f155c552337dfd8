"""Tests of the digits data set."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from mmengine.registry import DATASETS, DefaultScope

from mmfct.datasets import Digits

load_digits = pytest.importorskip('sklearn.datasets').load_digits


def _paths(dataset: Digits) -> list[str]:
    return [dataset.get_data_info(i)['img_path'] for i in range(len(dataset))]


def test_splits_are_disjoint_complete_and_stratified():
    train, test = Digits('train'), Digits(split='test')
    assert (len(train), len(test)) == (1078, 719)
    assert set(_paths(train)).isdisjoint(_paths(test))
    assert len({*_paths(train), *_paths(test)}) == 1797
    counts = [np.bincount([dataset.get_cat_ids(i)[0] for i in range(len(dataset))]) for dataset in (train, test)]
    np.testing.assert_allclose(counts[1] / (counts[0] + counts[1]), 0.4, atol=0.005)
    assert train.metainfo['classes'] == tuple('0123456789')


def test_split_depends_on_seed_and_fraction_only():
    paths = _paths(Digits('test'))
    assert _paths(Digits('test', image_size=8)) == paths
    assert _paths(Digits('test', seed=1)) != paths
    assert len(Digits('test', test_fraction=0.1)) == 179


def test_images_and_labels_are_those_of_scikit_learn():
    digits, dataset = load_digits(), Digits('test', image_size=8)
    for i in (0, 100, 718):
        info = dataset.get_data_info(i)
        index = int(info['img_path'].removeprefix('digits/'))
        assert info['gt_label'] == digits.target[index]
        assert info['img'].shape == (8, 8, 1)
        assert info['img'].dtype == np.uint8
        np.testing.assert_allclose(info['img'][..., 0] / 255 * 16, digits.images[index], atol=0.05)


def test_default_size():
    info = Digits('test').get_data_info(0)
    assert info['img'].shape == (16, 16, 1)
    assert info['img_shape'] == info['ori_shape'] == (16, 16)


def test_options_of_mmengine_reach_the_base_class():
    options = dict(metainfo=dict(task='digits'), indices=[5, 1], serialize_data=False)
    dataset = Digits(lazy_init=True, test_mode=True, max_refetch=3, **options)
    assert not dataset._fully_initialized
    assert dataset.metainfo == dict(task='digits', classes=tuple('0123456789'))
    assert _paths(dataset) == [_paths(Digits())[i] for i in (5, 1)]
    assert dataset.test_mode
    assert dataset.max_refetch == 3


def test_stock_transforms_of_mmpretrain_work():
    pytest.importorskip('mmpretrain')
    pipeline = [
        dict(type='RandomCrop', crop_size=16, padding=2),
        dict(type='Resize', scale=20),
        dict(type='PackInputs'),
    ]
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        dataset = DATASETS.build(dict(type='mmfct.Digits', split='train', pipeline=pipeline))
    item = dataset[4]
    assert item['inputs'].shape == (1, 20, 20)
    assert item['inputs'].dtype == torch.uint8
    assert item['data_samples'].gt_label.tolist() == dataset.get_cat_ids(4)
    assert item['data_samples'].sample_idx == 4


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(split='val'), "`split` must be 'train' or 'test', got 'val'"),
        (dict(test_fraction=0), '`test_fraction` must be above 0 and below 1, got 0'),
        (dict(test_fraction=1.0), '`test_fraction` must be above 0 and below 1, got 1.0'),
        (dict(test_fraction=0.001), 'an image of every digit in both splits, got 0.001'),
        (dict(test_fraction=0.999), 'an image of every digit in both splits, got 0.999'),
        (dict(image_size=0), '`image_size` must be at least 1, got 0'),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        Digits(**options)


def test_without_scikit_learn_the_message_has_the_command(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
    with pytest.raises(ImportError, match='pip install scikit-learn'):
        Digits()
