"""Tests of looking through wrappers."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from torch.utils.data import ConcatDataset as TorchConcatDataset
from torch.utils.data import Subset

from mmfct.datasets import ClassSubset, CutMixImages
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.instances.positions import find_positions, inner_positions, number_instances, walk_data_sets


class Toy(BaseDataset):
    """Images without pixels, with the labels given."""

    def __init__(self, name='a', labels=(2, 0, 1, 0), **kwargs):
        self.name, self.toy_labels = name, labels
        super().__init__(**kwargs)

    def load_data_list(self):
        return [dict(gt_label=label, img_path=f'{self.name}/{i}') for i, label in enumerate(self.toy_labels)]

    def get_cat_ids(self, idx):
        return [self.get_data_info(idx)['gt_label']]


WRAPPED = dict(
    plain=lambda: Toy(),
    repeat=lambda: RepeatDataset(Toy(), 3),
    balanced=lambda: ClassBalancedDataset(Toy(), 0.4),
    concat=lambda: ConcatDataset([Toy(), Toy('b', [1, 0])]),
    same_twice=lambda: TorchConcatDataset([Subset(one := Toy(), [0, 3]), one]),
    subset=lambda: Subset(Toy(), [3, 1, -1]),
    classes=lambda: ClassSubset(Toy(), classes=[0, 2]),
    corrupt=lambda: CorruptLabels(Toy(), dict(label=1.0)),
    lazy=lambda: ClassSubset(Toy(lazy_init=True), classes=[0, 1], lazy_init=True),
    nested=lambda: Subset(
        TorchConcatDataset(
            [
                CorruptLabels(ClassSubset(ConcatDataset([Toy(), Toy('b')]), classes=[0, 2]), dict(label=0.5)),
                RepeatDataset(Toy('c', [1, 0, 1]), 2),
            ]
        ),
        [0, 5, 6, 11, 7, 2],
    ),
)


def walk(dataset, idx) -> str:
    """File of an item, by asking the wrappers one after the other."""
    if isinstance(dataset, Subset):
        return walk(dataset.dataset, range(len(dataset.dataset))[dataset.indices[idx]])
    if type(dataset) is TorchConcatDataset:
        for part in dataset.datasets:
            if idx < len(part):
                return walk(part, idx)
            idx -= len(part)
    return dataset.get_data_info(idx)['img_path']


@pytest.mark.parametrize('wrap', WRAPPED.values(), ids=WRAPPED)
def test_positions_lead_to_the_same_file(wrap):
    dataset = wrap()
    positions = find_positions(dataset)
    files = [
        positions.sources[source].get_data_info(int(index))['img_path']
        for source, index in zip(positions.source, positions.index % 100, strict=True)
    ]
    assert files == [walk(dataset, i) for i in range(len(dataset))]
    number, first = number_instances(positions)
    order = list(dict.fromkeys(files))
    assert number.tolist() == [order.index(file) for file in files]
    assert [files[i] for i in first] == order


def test_a_source_is_listed_once():
    assert len(find_positions(WRAPPED['same_twice']()).sources) == 1
    assert len(find_positions(WRAPPED['nested']()).sources) == 3


def test_empty_data_set():
    number, first = number_instances(find_positions(Toy(labels=[], serialize_data=False)))
    assert number.shape == first.shape == (0,)


def test_a_walk_visits_wrappers_from_the_outside_in():
    dataset = WRAPPED['nested']()
    names = [type(part).__name__ for part in walk_data_sets(dataset)]
    inner = ['CorruptLabels', 'ClassSubset', 'ConcatDataset', 'Toy', 'Toy']
    assert names == ['Subset', 'ConcatDataset', *inner, 'RepeatDataset', 'Toy']
    assert next(walk_data_sets(dataset)) is dataset


def test_wrapper_of_a_host_counts_as_innermost():
    fold = pytest.importorskip('mmpretrain.datasets').KFoldDataset(dict(type=Toy, lazy_init=False), num_splits=2)
    assert [type(part).__name__ for part in walk_data_sets(fold)] == ['KFoldDataset', 'Toy']
    assert find_positions(fold).sources == [fold]
    assert find_positions(fold).index.tolist() == [0, 1]


def test_no_annotation_is_read(monkeypatch):
    dataset = RepeatDataset(Toy(), 2)
    monkeypatch.setattr(Toy, 'get_data_info', lambda *_: pytest.fail('read'))
    assert np.array_equal(find_positions(dataset).index, [0, 1, 2, 3, 0, 1, 2, 3])


@pytest.mark.parametrize('dataset', [[1, 2], Subset([1, 2], [0])])
def test_something_else_than_a_data_set(dataset):
    with pytest.raises(TypeError, match='`dataset` must be an mmengine data set, or wrappers .* got .*list'):
        find_positions(dataset)


def test_items_made_of_two_images():
    with pytest.raises(ValueError, match='`mmfct.CutMixImages` is made of two images: it cannot have a weight'):
        find_positions(Subset(CutMixImages(Toy()), [0]))


def mosaic(data):
    from mmseg.datasets import MultiImageMixDataset

    return MultiImageMixDataset(ConcatDataset([data]), [dict(type='RandomMosaic', prob=1.0, _scope_='mmseg')])


class MixUp:
    """A wrapper of a user: the mean of two images."""

    def __init__(self, dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def get_data_info(self, idx: int) -> dict:
        return self.dataset.get_data_info(idx)


class Several(MixUp):
    """The same with a list."""

    def __init__(self, dataset) -> None:
        self.datasets = [dataset]


@pytest.mark.parametrize('wrap', [mosaic, MixUp, Several])
@pytest.mark.parametrize('outside', [False, True])
def test_wrappers_that_mix_images_or_may_do_so(wrap, outside):
    dataset = wrap(Toy())
    with pytest.raises(ValueError, match=rf'every item is one image, got the wrapper {type(dataset).__name__}, which'):
        find_positions(Subset(dataset, [0]) if outside else dataset)


def test_a_wrapper_that_says_which_items_it_has():
    class Backwards(MixUp):
        """The items of a data set, the last first."""

        def get_data_info(self, idx: int) -> dict:
            return self.dataset.get_data_info(len(self) - 1 - idx)

    inner_positions.register(Backwards, lambda wrapper: np.arange(len(wrapper))[::-1])
    assert find_positions(Backwards(Toy())).index.tolist() == [3, 2, 1, 0]


def test_a_data_set_that_keeps_a_table_is_no_wrapper():
    class Table(Toy):
        dataset = [1, 2]

    assert find_positions(Table()).index.tolist() == [0, 1, 2, 3]
