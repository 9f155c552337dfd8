"""Tests of the folder of images."""

from __future__ import annotations

import os

import pytest

from mmfct.datasets import ImageFolder
from mmfct.registry import DATASETS


@pytest.fixture
def folder(tmp_path):
    """Images in folders, beside files that are none."""
    for name in ('b/2.png', 'b/10.JPG', 'a/x/1.webp', 'b/notes.txt', '.cache/1.png', 'a/.hidden.png'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def paths(dataset) -> list[str]:
    return [os.path.relpath(dataset.get_data_info(i)['img_path'], dataset.data_root) for i in range(len(dataset))]


def test_images_below_in_the_order_of_their_names(folder):
    dataset = DATASETS.build(dict(type='mmfct.ImageFolder', data_root=str(folder)))
    assert paths(dataset) == ['a/x/1.webp', 'b/10.JPG', 'b/2.png']
    assert [dataset.get_data_info(i)['sample_idx'] for i in range(3)] == [0, 1, 2]
    assert 'gt_label' not in dataset.get_data_info(0)


def test_labels_are_the_first_folders(folder):
    dataset = ImageFolder(str(folder), labels_from_folders=True)
    assert [dataset.get_data_info(i)['gt_label'] for i in range(3)] == [0, 1, 1]
    (folder / '1.png').touch()
    with pytest.raises(ValueError, match=r"every image must lie in the folder of its class, got '1.png' in"):
        ImageFolder(str(folder), labels_from_folders=True)


def test_linked_folders_are_followed_once(folder):
    elsewhere = folder.parent / f'{folder.name}_elsewhere'
    elsewhere.mkdir()
    (elsewhere / '3.png').touch()
    (folder / 'c').symlink_to(elsewhere)
    (elsewhere / 'loop').symlink_to(folder)
    assert paths(ImageFolder(str(folder)))[-1] == 'c/3.png'
    assert len(ImageFolder(str(folder))) == 4


def test_a_pipeline_gets_the_path(folder):
    dataset = ImageFolder(str(folder), pipeline=[lambda info: info['img_path'][-5:]])
    assert dataset[2] == '2.png'


def test_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="`data_root` must be a folder of images, got '.*gone', which is none"):
        ImageFolder(str(tmp_path / 'gone'))
    with pytest.raises(FileNotFoundError, match=r'must hold images \(.bmp .*\), got none below'):
        ImageFolder(str(tmp_path))


def test_a_rejected_image_is_an_error_unless_in_training(folder):
    with pytest.raises(Exception, match='Test time pipline should not get `None`'):
        ImageFolder(str(folder), pipeline=[lambda info: None])[0]
    only_first = ImageFolder(str(folder), pipeline=[lambda i: i if i['sample_idx'] == 0 else None], test_mode=False)
    assert only_first[2]['sample_idx'] == 0
