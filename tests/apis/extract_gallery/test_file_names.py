"""Labels of folders depend on nothing but their names."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.apis.extract_gallery import file_names
from mmfct.apis.extract_gallery.file_names import check_unicode, folder_label, labels_of_folders


def test_one_folder_is_one_class_in_every_gallery():
    labels, names = labels_of_folders(['cat/1.png', 'cat/old/2.png', 'dog/1.png', 'x.png'])
    cat, dog = folder_label('cat'), folder_label('dog')
    assert labels.tolist() == [cat, cat, dog, -1] and labels.dtype == np.int64
    assert names == {cat: 'cat', dog: 'dog'}
    assert cat == 131595508601259 < 2**48  # the same everywhere, for ever
    assert labels_of_folders(['dog/3.png'])[0].tolist() == [dog]


def test_folders_are_needed():
    with pytest.raises(ValueError, match="needs a folder for each class, got files alone, such as 'a.png'"):
        labels_of_folders(['a.png', 'b.png'])


def test_two_folders_with_one_label_are_refused(monkeypatch):
    monkeypatch.setattr(file_names, 'folder_label', lambda name: 1)
    with pytest.raises(ValueError, match='two of 2 folders have the same label by chance'):
        labels_of_folders(['a/1.png', 'b/1.png'])


def test_names_must_be_text():
    check_unicode('é😀')
    with pytest.raises(ValueError, match='the name of an image must be valid Unicode, got'):
        check_unicode('\udcff')
