"""Checks of the data folders before a training."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from mmfct.apis.training.checks import check_data


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three classes in the ImageNet format, one of them without an image."""
    for name in ('a', 'b', 'c'):
        (tmp_path / 'train' / name).mkdir(parents=True)
    (tmp_path / 'train/a/1.jpg').touch()
    (tmp_path / 'train/b/1.jpg').touch()
    (tmp_path / 'train/readme.txt').touch()
    return tmp_path


def config_of(dataset: dict, loader: str = 'train_dataloader', num_classes: int | None = None) -> Config:
    model = dict(head=dict(num_classes=num_classes)) if num_classes else dict()
    return Config({'model': model, loader: dict(dataset=dataset)})


def images(root: Path, **options) -> dict:
    return dict(type='CustomDataset', data_root=str(root), data_prefix='train') | options


@pytest.mark.parametrize('loader', ['train_dataloader', 'val_dataloader', 'test_dataloader'])
@pytest.mark.parametrize('kind', ['CustomDataset', 'mmpretrain.CustomDataset', 'mmfct.Omniglot', 'mmfct.GroceryStore'])
def test_missing_and_empty_folders(tmp_path, loader, kind):
    dataset = dict(type='mmfct.EmbeddingTable', dataset=dict(type=kind, data_root=str(tmp_path / 'none')))
    message = r'`data_root` must be the folder of the data, got .*none.*, which {}; .*`--cfg-options data_root=\.\.\.`'
    with pytest.raises(FileNotFoundError, match=message.format('does not exist')):
        check_data(config_of(dataset, loader))
    (tmp_path / 'none').mkdir()
    with pytest.raises(FileNotFoundError, match=message.format('is empty')):
        check_data(config_of(dataset, loader))


def test_only_the_loaders_asked_for(tmp_path):
    config = config_of(images(tmp_path / 'none'))
    check_data(config, ['test_dataloader'])
    with pytest.raises(FileNotFoundError):
        check_data(config, ['train_dataloader'])


def test_data_sets_in_lists_are_found(folder, tmp_path):
    dataset = dict(type='ConcatDataset', datasets=[images(folder), images(tmp_path / 'none')])
    with pytest.raises(FileNotFoundError, match='none'):
        check_data(config_of(dataset))


def test_what_needs_no_folder_or_fetches_it(tmp_path):
    check_data(config_of(dict(type='mmfct.Digits')))
    check_data(config_of(dict(type='CIFAR100', data_root=str(tmp_path / 'none'))))
    check_data(Config(dict(model=dict(), test_dataloader=None)))


def test_folders_of_classes(folder):
    check_data(config_of(images(folder), num_classes=3))
    check_data(config_of(images(folder, data_prefix=dict(img_path='train')), num_classes=1000))
    check_data(config_of(images(folder / 'train', data_prefix='')))
    check_data(config_of(images(folder, data_prefix='', ann_file='meta/train.txt')))
    check_data(config_of(images(folder, data_prefix='', with_label=False)))


@pytest.mark.parametrize('prefix', ['val', 'train/a', 'train/c', dict(img_path='val')])
def test_no_folder_of_a_class_with_images(folder, prefix):
    message = r'`data_root` must hold a folder of images per class in .*, got none in .*; .*data_root=\.\.\.`'
    with pytest.raises(FileNotFoundError, match=message):
        check_data(config_of(images(folder, data_prefix=prefix), num_classes=3))


def test_a_type_given_as_a_class(folder):
    class CustomDataset:
        pass

    with pytest.raises(FileNotFoundError, match='a folder of images per class'):
        check_data(Config(dict(model=dict(), train_dataloader=dict(dataset=images(folder / 'train/a')))))
    config = config_of(dict(type=CustomDataset, data_root=str(folder / 'train/a')))
    with pytest.raises(FileNotFoundError, match='a folder of images per class'):
        check_data(config)


def test_a_split_of_more_classes_than_there_are(folder):
    check_data(config_of(dict(type='mmfct.ClassSubset', num_classes=3, dataset=images(folder)), num_classes=3))
    with pytest.raises(
        ValueError, match=r'must keep at most 3, the number of folders .*train., got 4; .*old_classes=.*num_classes=3`'
    ):
        check_data(config_of(dict(type='mmfct.ClassSubset', num_classes=4, dataset=images(folder))))


def test_more_classes_than_outputs(folder):
    with pytest.raises(ValueError, match=r'`num_classes` must be at least 3, .*train., got 2; .*num_classes=3`'):
        check_data(config_of(images(folder), num_classes=2))
    check_data(config_of(dict(type='mmfct.ClassSubset', num_classes=2, dataset=images(folder)), num_classes=2))
    check_data(config_of(images(folder), 'test_dataloader', num_classes=2))


@pytest.mark.parametrize('root', [2024, ['set', 'v2'], 1e5])
def test_a_data_root_that_is_no_name(root):
    with pytest.raises(ValueError, match='`data_root` must be the folder of the data, got .*; set it with'):
        check_data(config_of(dict(type='CustomDataset', data_root=root)))
