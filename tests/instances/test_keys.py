"""Tests of the names of training instances."""

from __future__ import annotations

import hashlib
import os
import pickle

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from mmengine.registry import DATASETS
from torch.utils.data import ConcatDataset as TorchConcatDataset
from torch.utils.data import Subset

from mmfct.datasets import ClassSubset
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.instances.keys import InstanceKeys, keys_fingerprint


def fail(results):
    raise AssertionError('the pipeline was run')


@DATASETS.register_module(name='ToyWithPaths')
class Toy(BaseDataset):
    """Images without pixels: one per path, with the number of the path modulo 3 as label."""

    def __init__(self, paths, **kwargs):
        self.paths = paths
        super().__init__(pipeline=[fail], **kwargs)

    def load_data_list(self):
        infos = [dict(gt_label=i % 3, img_path=path) for i, path in enumerate(self.paths)]
        return [{key: value for key, value in info.items() if value is not None} for info in infos]

    def get_cat_ids(self, idx):
        return [self.get_data_info(idx)['gt_label']]


FIRST, SECOND = (['/data/a/0.png', '/data/a/1.png', '/data/b/x.png'], ['/data/c/0.png', '/data/c/1.png'])
A = ['a/0.png', 'a/1.png', 'b/x.png']
C = ['0.png', '1.png']
BOTH = ['a/0.png', 'a/1.png', 'b/x.png', 'c/0.png', 'c/1.png']


@pytest.mark.parametrize(
    ('dataset', 'expected'),
    [
        (lambda: Toy(FIRST), A),
        (lambda: Toy(SECOND), C),
        (lambda: RepeatDataset(Toy(FIRST), 3), A),
        (lambda: ClassBalancedDataset(Toy(FIRST), 1.0), A),
        (lambda: Subset(Toy(FIRST), [2, 0, 0]), ['b/x.png', 'a/0.png']),
        (lambda: ClassSubset(Toy(FIRST), classes=[0, 2]), ['a/0.png', 'b/x.png']),
        (lambda: CorruptLabels(Toy(FIRST), dict(label=1.0)), A),
        (lambda: ConcatDataset([Toy(FIRST), Toy(SECOND)]), BOTH),
        (lambda: ConcatDataset([Toy(SECOND), Toy(FIRST)]), BOTH[3:] + BOTH[:3]),
        (lambda: ConcatDataset([Toy(FIRST), Toy(SECOND), Toy(FIRST)]), BOTH),  # the same files again
        (lambda: CorruptLabels(ConcatDataset([Toy(FIRST), Toy(SECOND)]), dict(label=0.5)), BOTH),
        (
            lambda: Subset(TorchConcatDataset([RepeatDataset(Toy(FIRST), 2), Toy(SECOND)]), [7, 3, 4, 0]),
            ['c/1.png', 'a/0.png', 'a/1.png'],
        ),
        (
            lambda: DATASETS.build(
                dict(
                    type='RepeatDataset',
                    times=2,
                    dataset=dict(
                        type='mmfct.CorruptLabels',
                        fractions=dict(label=1.0),
                        dataset=dict(
                            type='mmfct.ClassSubset',
                            num_classes=2,
                            dataset=dict(type='ConcatDataset', datasets=[Toy(FIRST), Toy(SECOND)]),
                        ),
                    ),
                )
            ),
            ['a/0.png', 'a/1.png', 'c/0.png', 'c/1.png'],
        ),
    ],
)
def test_one_key_per_instance_in_order_of_appearance(dataset, expected):
    assert InstanceKeys.of(dataset()).keys == expected
    assert InstanceKeys.of(dataset()).fingerprint == keys_fingerprint(expected)


def test_rows_of_data_samples():
    keys = InstanceKeys.of(RepeatDataset(Toy(FIRST), 2))
    assert len(keys) == 3
    assert [keys.row(path) for path in reversed(FIRST)] == [2, 1, 0]
    assert keys.row('/data/a/../b//x.png') == 2
    for path in ('/data/c/0.png', '/elsewhere/a/0.png', 'a/0.png'):
        with pytest.raises(ValueError, match=f"`img_path` must be that of one of the 3 .*in '/data/', got '{path}'"):
            keys.row(path)
    assert pickle.loads(pickle.dumps(keys)).row(FIRST[1]) == 1


def test_relative_paths_do_not_depend_on_the_working_folder(tmp_path, monkeypatch):
    paths = ['images/a/0.png', './images/a/1.png', 'images/b/0.png']
    before = InstanceKeys.of(Toy(paths)).keys
    monkeypatch.chdir(tmp_path)
    assert InstanceKeys.of(Toy(paths)).keys == before == ['a/0.png', 'a/1.png', 'b/0.png']
    assert InstanceKeys.of(Toy(paths)).row(os.path.abspath('images/b/0.png')) == 2


def test_names_that_start_alike_are_no_folder():
    assert InstanceKeys.of(Toy(['/d/img1.png', '/d/img2.png'])).keys == ['img1.png', 'img2.png']
    assert InstanceKeys.of(Toy(['/d/img1/a.png', '/d/img2/a.png'])).keys == ['img1/a.png', 'img2/a.png']
    assert InstanceKeys.of(Toy(['/d/a.png'])).keys == ['a.png']
    assert InstanceKeys.of(Toy(['/d/a/0.png', '/d/a-b/0.png', '/d/a0.png'])).keys == ['a/0.png', 'a-b/0.png', 'a0.png']


def test_fingerprint_is_a_hash_of_the_keys_in_their_order():
    digest = hashlib.sha256(b'a/0.png\0b.png\0').hexdigest()
    assert keys_fingerprint(['a/0.png', 'b.png']) == f'sha256:{digest}'
    assert keys_fingerprint(['b.png', 'a/0.png']) != f'sha256:{digest}'
    assert keys_fingerprint(['a', 'b']) != keys_fingerprint(['ab'])
    assert keys_fingerprint([os.fsdecode(b'\xff.png')]).startswith('sha256:')  # not UTF-8


def test_numbers_for_data_without_files():
    keys = InstanceKeys.of(Subset(RepeatDataset(Toy([None] * 4), 2), [5, 1, 0]), field='sample_idx')
    assert keys.keys == ['1', '0']
    assert keys.row(0) == 1
    with pytest.raises(ValueError, match='`sample_idx` must be that of one of the 2 training instances .* got 3'):
        keys.row(3)


def test_numbers_are_of_one_data_set_alone():
    def fingerprint(dataset) -> str:
        return InstanceKeys.of(dataset, field='sample_idx').fingerprint

    four, images = [None] * 4, np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    assert fingerprint(Toy(four)) == fingerprint(Toy(four)) == fingerprint(CorruptLabels(Toy(four), dict(label=1.0)))
    assert fingerprint(Toy(four)) != fingerprint(Subset(Toy(four), [0, 1, 2]))
    assert fingerprint(Toy(four)) != fingerprint(Pixels([0, 1, 1, 0]))  # as many, with other labels
    assert fingerprint(Pixels([1, 1], images)) == fingerprint(Pixels([1, 1], images.copy()))
    assert fingerprint(Pixels([1, 1], images)) != fingerprint(Pixels([1, 1], images[::-1]))


class Pixels(BaseDataset):
    """Images in memory, as those of CIFAR."""

    def __init__(self, labels, images=(None,) * 4):
        self.infos = [dict(gt_label=label, img=image) for label, image in zip(labels, images, strict=True)]
        super().__init__(pipeline=[fail])

    def load_data_list(self):
        return self.infos


def test_numbers_are_ambiguous_in_concatenated_data_sets():
    dataset = RepeatDataset(dict(type='ConcatDataset', datasets=[Toy(FIRST), Toy(SECOND)]), 2)
    with pytest.raises(
        ValueError, match="`field` must be 'img_path' for concatenated .* file names.* and 2 data sets"
    ):
        InstanceKeys.of(dataset, field='sample_idx')


def test_annotation_without_a_file():
    with pytest.raises(
        ValueError, match=r"`field` must be in the annotation .*'img_path'.* \['gt_label', 'sample_idx"
    ):
        InstanceKeys.of(Toy([*FIRST, None]))


def test_unknown_field():
    with pytest.raises(ValueError, match="`field` must be 'img_path' or 'sample_idx', got 'gt_label'"):
        InstanceKeys([1], field='gt_label')


def test_something_else_than_a_data_set():
    with pytest.raises(TypeError, match='`dataset` must be an mmengine data set'):
        InstanceKeys.of([1, 2])


def test_empty_data_set():
    assert InstanceKeys.of(Toy([], serialize_data=False)).keys == []
