"""What a dry run says of data."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from mmfct.apis.training.dry_run.data import describe_empty, look_at_data


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two images of each of three classes."""
    for name in 'abc':
        (tmp_path / name).mkdir()
        for index in range(2):
            cv2.imwrite(str(tmp_path / name / f'{index}.png'), np.full((8, 8, 3), 9, np.uint8))
    return tmp_path


def config_of(dataset: dict, **head) -> Config:
    pipeline = [dict(type='LoadImageFromFile'), dict(type='PackInputs')]
    loader = dict(dataset=dict(pipeline=pipeline) | dataset)
    return Config(dict(model=dict(head=head), train_dataloader=loader, default_scope='mmpretrain'))


def images(root: Path, **options) -> dict:
    return dict(type='CustomDataset', data_root=str(root)) | options


def test_images_and_classes(folder):
    data = look_at_data(config_of(images(folder), num_classes=3), 'train_dataloader')
    assert (data.images, data.classes, data.unlabelled, data.empty) == (6, 3, 0, [])
    assert str(data).startswith('6 images of 3 classes, ') and 0 < data.seconds < 1


def test_outputs_without_a_class(folder):
    (folder / 'list.txt').write_text('a/0.png 0\nb/1.png 1\n')
    known = images(folder, ann_file='list.txt', metainfo=dict(classes=list('abcd')))
    for settings, outputs, spare in ((images(folder), 3, 0), (images(folder), 5, 2), (known, 5, 1)):
        assert look_at_data(config_of(settings, num_classes=outputs), 'train_dataloader').spare == spare
    assert look_at_data(config_of(images(folder)), 'train_dataloader').spare == 0
    subset = dict(type='mmfct.ClassSubset', num_classes=2, dataset=images(folder, pipeline=[]))
    config = Config(
        dict(model=dict(head=dict(num_classes=5)), train_dataloader=dict(dataset=subset), default_scope='mmpretrain')
    )
    assert look_at_data(config, 'train_dataloader').spare == 0


def test_images_without_a_label_and_classes_without_an_image(folder):
    (folder / 'list.txt').write_text('a/0.png 1\na/1.png -1\n')
    settings = images(folder, ann_file='list.txt', metainfo=dict(classes=list('abcdefgh')))
    data = look_at_data(config_of(settings), 'train_dataloader')
    assert str(data).startswith('2 images of 1 classes, 1 without a label, ')
    assert describe_empty(data, 'train_dataloader') == '`train_dataloader` has no image of a, c, d, e, f and 2 more'


def test_images_that_have_no_classes_at_all(folder):
    data = look_at_data(config_of(images(folder, with_label=False)), 'train_dataloader')
    assert (data.classes, data.unlabelled, data.empty) == (0, 0, [])


@pytest.mark.parametrize('broken', ['a/0.png', 'c/1.png'])
def test_the_first_and_the_last_image_must_be_readable(folder, broken):
    (folder / broken).write_bytes(b'no image')
    with pytest.raises(ValueError, match=f"image [05] of 6, '.*{broken}', cannot be read: .*; get the file again"):
        look_at_data(config_of(images(folder)), 'train_dataloader')


def test_no_image_at_all(folder):
    with pytest.raises(ValueError, match='`train_dataloader` must have images, got none; check `data_root`'):
        look_at_data(config_of(images(folder, indices=0, serialize_data=False)), 'train_dataloader')


def test_an_output_for_every_label(folder):
    with pytest.raises(ValueError, match=r'more than the largest label, 2, got 2; .*num_classes=3'):
        look_at_data(config_of(images(folder), num_classes=2), 'train_dataloader')


def test_nothing_is_downloaded(folder):
    settings = dict(type='CIFAR10', data_root=str(folder / 'none'), pipeline=[])
    with pytest.raises(RuntimeError, match='download=True'):
        look_at_data(config_of(settings), 'train_dataloader')
    assert not (folder / 'none').exists()
