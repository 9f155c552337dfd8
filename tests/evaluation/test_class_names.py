"""Names of classes in ids that are paths."""

from __future__ import annotations

from mmfct.evaluation.class_names import class_folders


def test_names_of_classes_are_folders_that_go_with_them():
    ids = ['train/fruit/apple/1.jpg', 'test/fruit/pear/2.jpg', 'train/roots/carrot/3.jpg', 'test/fruit/apple/4.jpg']
    assert class_folders(ids, [5, 2, 9, 5]) == {2: 'pear', 5: 'apple', 9: 'carrot'}
    assert class_folders(ids, [1, 1, 0, 1]) == {0: 'roots', 1: 'fruit'}
    assert class_folders([f'train/{name}.jpg' for name in 'abc'], [5, 2, 5]) == {}  # one folder of two classes
    assert class_folders(ids[:1], [5]) == {} and class_folders([], []) == {}
    assert class_folders(['0.png', '1.png'], [0, 1]) == {}
