"""Tests of the wrapper that keeps the images of some classes."""

from __future__ import annotations

import pickle
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner import Runner

from mmfct.datasets import ClassSubset

LABELS = [2, 0, 1, 0, 3, 2, 0]


class Toy(BaseDataset):
    """Images without pixels, with the labels given."""

    def __init__(self, labels, names=None, **kwargs):
        self.toy_labels = labels
        super().__init__(metainfo=dict(classes=names) if names else None, **kwargs)

    def load_data_list(self):
        return [dict(gt_label=label) if label != '' else {} for label in self.toy_labels]

    def get_cat_ids(self, idx):
        return [self.get_data_info(idx)['gt_label']]


class ToyWithLabels(Toy):
    """As mmpretrain's data sets: gives all labels at once."""

    def get_gt_labels(self):
        return np.array(self.toy_labels)


def _keys(subset) -> list[int]:
    return [subset[i]['sample_idx'] for i in range(len(subset))]


@pytest.mark.parametrize('cls', [Toy, ToyWithLabels])
@pytest.mark.parametrize(
    ('options', 'keys'),
    [
        (dict(num_classes=1), [1, 3, 6]),
        (dict(num_classes=2), [1, 2, 3, 6]),
        (dict(num_classes=4), [0, 1, 2, 3, 4, 5, 6]),
        (dict(classes=[3, 2]), [0, 4, 5]),
        (dict(classes=(np.int64(3),)), [4]),
        (dict(classes=['cat', 'dog']), [1, 3, 4, 6]),
        (dict(classes=['cat', 3]), [1, 3, 4, 6]),
    ],
)
def test_keeps_the_images_of_the_classes_and_their_keys(cls, options, keys):
    subset = ClassSubset(cls(LABELS, names=['cat', 'cow', 'hen', 'dog']), **options)
    assert len(subset) == len(keys)
    assert _keys(subset) == keys
    labels = [LABELS[key] for key in keys]
    assert [subset[i]['gt_label'] for i in range(len(subset))] == labels
    assert [subset.get_data_info(i)['sample_idx'] for i in range(len(subset))] == keys
    assert [subset.get_cat_ids(i) for i in range(len(subset))] == [[label] for label in labels]
    assert subset.get_gt_labels().tolist() == labels
    assert subset.get_gt_labels().dtype == np.int64


def test_number_of_classes_without_names_is_that_of_the_labels():
    assert len(ClassSubset(Toy(LABELS), num_classes=4)) == 7
    with pytest.raises(ValueError, match='`num_classes` must be at most 4, .* got 5'):
        ClassSubset(Toy(LABELS), num_classes=5)


def test_metainfo_is_that_of_the_wrapped_data_set_and_a_copy():
    subset = ClassSubset(Toy(LABELS, names=['a', 'b', 'c', 'd']), num_classes=2)
    assert subset.metainfo == dict(classes=['a', 'b', 'c', 'd'])
    subset.metainfo['classes'].clear()
    assert len(subset.metainfo['classes']) == 4


def test_negative_and_outer_indices():
    subset = ClassSubset(Toy(LABELS), num_classes=2)
    assert subset[-1]['sample_idx'] == 6
    assert subset.get_data_info(-2)['sample_idx'] == 3
    with pytest.raises(IndexError):
        subset[4]


def test_lazy_init_reads_nothing_until_it_must():
    inner = Toy(LABELS, lazy_init=True)
    subset = ClassSubset(inner, num_classes=9, lazy_init=True)
    assert not inner._fully_initialized
    assert subset.metainfo == {}
    with pytest.raises(ValueError, match='`num_classes` must be at most 4'):
        subset.full_init()
    inner = Toy(LABELS, lazy_init=True)
    subset = ClassSubset(inner, num_classes=2, lazy_init=True)
    assert len(subset) == 4
    assert inner._fully_initialized


def test_full_init_reads_the_labels_once(monkeypatch):
    inner = ToyWithLabels(LABELS)
    subset = ClassSubset(inner, num_classes=2)
    monkeypatch.setattr(inner, 'get_gt_labels', lambda: pytest.fail('read again'))
    subset.full_init()


def test_replacement_of_a_rejected_image_is_of_a_kept_class():
    def reject_first_cat(results: dict) -> dict | None:
        return None if results['sample_idx'] == 1 else results

    inner = Toy(LABELS, pipeline=[reject_first_cat])
    subset = ClassSubset(inner, num_classes=1)
    assert {subset[0]['sample_idx'] for _ in range(40)} == {3, 6}


@pytest.mark.parametrize(
    ('test_mode', 'error', 'match'),
    [(False, RuntimeError, 'returned None 4 times in a row'), (True, Exception, 'Test time')],
)
def test_pipeline_that_rejects_everything(test_mode, error, match):
    pipeline = [lambda results: None]
    inner = Toy(LABELS, pipeline=pipeline, test_mode=test_mode, max_refetch=3)
    subset = ClassSubset(inner, num_classes=1)
    with pytest.raises(error, match=match):
        subset[0]


@pytest.mark.parametrize('options', [{}, dict(num_classes=1, classes=[0]), dict(num_classes=None, classes=None)])
def test_exactly_one_choice_must_be_given(options):
    with pytest.raises(ValueError, match='exactly one of `num_classes` and `classes`'):
        ClassSubset(Toy(LABELS), **options)


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(num_classes=0), '`num_classes` must be at least 1, got 0'),
        (dict(classes=[]), '`classes` must be a non-empty sequence'),
        (dict(classes='cat'), "`classes` must be a non-empty sequence .* got 'cat'"),
        (dict(classes=[0, 4]), r'`classes` must be labels from 0 to 3 or names .* got \[4\]'),
        (dict(classes=[-1]), r'`classes` must be labels from 0 to 3 .* got \[-1\]'),
        (dict(classes=['cat']), r"`classes` must be .* got \['cat'\]"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        ClassSubset(Toy(LABELS), **options)


@pytest.mark.parametrize('options', [dict(num_classes=3), dict(classes=[0, 1]), dict(classes=['b'])])
def test_class_without_images(options):
    with pytest.raises(ValueError, match=r'every class to keep, got none with label \[1\]'):
        ClassSubset(Toy([0, 2, 2], names=['a', 'b', 'c']), **options)


def test_empty_data_set():
    with pytest.raises(ValueError, match='`num_classes` must be at most 0'):
        ClassSubset(Toy([], serialize_data=False), num_classes=1)


@pytest.mark.parametrize('cls', [Toy, ToyWithLabels])
@pytest.mark.parametrize('labels', [[[0], [1, 2]], [[0, 1], [1, 2]], [0.5, 1.0], ['']])
def test_labels_must_be_one_integer_per_image(cls, labels):
    with pytest.raises(ValueError, match='`dataset` must have one integer `gt_label` per image'):
        ClassSubset(cls(labels), num_classes=1)


def test_something_else_than_a_data_set():
    with pytest.raises(TypeError, match='`dataset` must be a config or an mmengine data set'):
        ClassSubset([1, 2], num_classes=1)


def test_wraps_and_is_wrapped_by_mmengine_wrappers():
    names = ['cat', 'cow', 'hen', 'dog']
    subset = ClassSubset(ConcatDataset([Toy(LABELS, names), Toy(LABELS, names)]), num_classes=1)
    assert _keys(subset) == [1, 3, 6, 1, 3, 6]  # positions in the inner data sets, as mmengine's
    nested = ClassSubset(ClassSubset(Toy(LABELS), num_classes=2), classes=[1])
    assert _keys(nested) == [2]


def test_class_balanced_sampling_inside():
    inner = ClassBalancedDataset(Toy(LABELS), oversample_thr=0.3)
    subset = ClassSubset(inner, classes=[3])
    assert _keys(subset) == [4, 4]
    assert subset.get_cat_ids(0) == [3]


@pytest.fixture
def image_folder(tmp_path) -> Path:
    """A folder per class, as ImageNet is stored."""
    for label, name in enumerate(('ant', 'bee', 'cat')):
        (tmp_path / name).mkdir()
        for i in range(2):
            cv2.imwrite(str(tmp_path / name / f'{i}.png'), np.full((8, 8, 3), label, np.uint8))
    return tmp_path


def test_image_folder_of_mmpretrain_through_a_stock_loader_config(image_folder):
    pytest.importorskip('mmpretrain')
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    inner = dict(type='CustomDataset', data_prefix=str(image_folder), pipeline=pipeline)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        loader = Runner.build_dataloader(
            dict(
                batch_size=2,
                num_workers=0,
                sampler=dict(type='DefaultSampler', shuffle=False),
                dataset=dict(type='mmfct.ClassSubset', num_classes=2, dataset=inner),
            ),
            seed=0,
        )
        batches = list(loader)
    samples = [sample for batch in batches for sample in batch['data_samples']]
    assert [int(sample.gt_label) for sample in samples] == [0, 0, 1, 1]
    assert [sample.sample_idx for sample in samples] == [0, 1, 2, 3]
    assert list(loader.dataset.metainfo['classes']) == ['ant', 'bee', 'cat']
    assert len(ClassSubset(loader.dataset.dataset, classes=['cat'])) == 2


def test_cifar100_of_mmpretrain(tmp_path, monkeypatch):
    cifar = pytest.importorskip('mmpretrain.datasets').CIFAR100
    monkeypatch.setattr(cifar, '_check_integrity', lambda self: True)  # a miniature is not it
    rng = np.random.default_rng(0)
    fine = [99, 0, 49, 50, 0]
    entry = dict(data=rng.integers(0, 256, (5, 3072), dtype=np.uint8), fine_labels=fine)
    (tmp_path / 'cifar-100-python').mkdir()
    (tmp_path / 'cifar-100-python' / 'train').write_bytes(pickle.dumps(entry))
    inner = dict(type='CIFAR100', data_root=str(tmp_path), pipeline=[dict(type='PackInputs')])
    config = dict(type='mmfct.ClassSubset', classes=[0, 49], dataset=inner)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        subset = DATASETS.build(config)
    assert subset.get_gt_labels().tolist() == [0, 49, 0]
    assert [subset[i]['data_samples'].sample_idx for i in range(3)] == [1, 2, 4]
    assert len(subset.metainfo['classes']) == 100
