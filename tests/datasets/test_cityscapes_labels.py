"""Tests of the class sets of CityScapes."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.datasets.cityscapes_labels import class_names, class_palette, class_table

CATEGORIES = ('flat', 'construction', 'object', 'nature', 'sky', 'human', 'vehicle')


def test_classes_are_those_of_mmseg():
    cityscapes = pytest.importorskip('mmseg.datasets').CityscapesDataset
    assert class_names(19) == cityscapes.METAINFO['classes']
    assert class_palette(19) == cityscapes.METAINFO['palette']
    assert class_names(7) == CATEGORIES
    assert len(class_palette(7)) == 7
    assert class_palette(7)[0] == [128, 64, 128]


def test_table_of_19_classes_is_that_of_the_train_ids():
    # Evaluated label ids in the order of their train ids, from the documentation of the data set.
    ids = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    expected = np.full(34, 255)
    expected[ids] = range(19)
    table = class_table(19)
    assert table.dtype == np.uint8
    assert table.tolist() == expected.tolist()


def test_table_of_7_categories_merges_the_classes():
    by_class, by_category = class_table(19), class_table(7)
    assert ((by_class == 255) == (by_category == 255)).all()
    members = [sorted(np.flatnonzero(by_category == label).tolist()) for label in range(7)]
    assert members == [[7, 8], [11, 12, 13], [17, 19, 20], [21, 22], [23], [24, 25], [26, 27, 28, 31, 32, 33]]


@pytest.mark.parametrize('function', [class_names, class_palette, class_table])
def test_another_number_of_classes(function):
    with pytest.raises(ValueError, match=r'`num_classes` must be 19 \(classes\) or 7 \(categories\), got 2'):
        function(2)
