"""Tests of the choice of images, and of the images themselves."""

from __future__ import annotations

import copy

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmfct.apis.gallery_data import gallery_images, number_of_workers


@pytest.fixture
def config(upgrade_project) -> Config:
    """Config of the transform, whose data sets are tables of embeddings."""
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        yield Config.fromfile(upgrade_project.config['transform'])


def test_images_of_a_table(config, photos):
    data = gallery_images(config)
    assert len(data) == 11 and data.ids[0] == 'cat/0.png'
    assert data.labels.tolist() == [0] * 5 + [1] * 5 + [2]
    image = cv2.imread(str(photos / 'dog/1.png')).transpose(2, 0, 1)
    assert torch.equal(data[6], torch.from_numpy(image))


def test_the_fingerprint_sees_ids_labels_and_settings_but_not_the_place(config, photos, tmp_path):
    first = gallery_images(config, images=photos).fingerprint()
    (tmp_path / 'link').symlink_to(photos)
    assert gallery_images(config, images=tmp_path / 'link').fingerprint() == first
    assert gallery_images(config, images=photos, labels_from_folders=True).fingerprint() != first
    assert gallery_images(config, images=photos / 'dog').fingerprint() != first
    config.test_dataloader.dataset.dataset.pipeline[0].to_float32 = True
    assert gallery_images(config, images=photos).fingerprint() != first


def test_missing_loaders_are_named(config, photos):
    with pytest.raises(ValueError, match=r'must have a `val_dataloader`, got none; name another one with `--split`'):
        gallery_images(config, split='val')
    config.test_dataloader = None
    assert len(gallery_images(config, split='train')) == 11  # with its own pipeline, as there is no other
    with pytest.raises(ValueError, match=r'must have a `test_dataloader` or `val_dataloader`, whose pipeline'):
        gallery_images(config, images=photos)


def test_missing_data_are_named(config, tmp_path):
    with pytest.raises(FileNotFoundError, match='`data_root` must be a folder of images, got'):
        gallery_images(config, images=tmp_path / 'gone')
    config.test_dataloader.dataset.dataset.data_root = str(tmp_path / 'gone')
    with pytest.raises(FileNotFoundError, match=r'--cfg-options data_root='):
        gallery_images(config)


def test_a_pipeline_without_loading_gets_it(config, tmp_path):
    cv2.imwrite(str(tmp_path / '1.png'), np.full((4, 4, 3), 7, np.uint8))
    config.test_dataloader.dataset.dataset.pipeline = [dict(type='PackInputs')]
    assert gallery_images(config, images=tmp_path)[0].shape == (3, 4, 4)
    config.model.encoders.old.backbone.in_channels = 1
    assert gallery_images(config, images=tmp_path)[0].shape == (1, 4, 4)


def test_images_without_a_file_are_known_by_their_path_or_number(config):
    config.test_dataloader.dataset = dict(
        type='mmfct.ClassSubset',
        classes=[3],
        dataset=dict(type='mmfct.Digits', split='test', pipeline=[dict(type='PackInputs')]),
    )
    data = gallery_images(config)
    assert data.ids[0].startswith('digits/') and set(data.labels.tolist()) == {3}
    assert data[5].shape == (1, 16, 16)


def test_repeated_images_are_refused(config):
    images = copy.deepcopy(config.test_dataloader.dataset.dataset)
    config.test_dataloader.dataset = dict(type='mmengine.RepeatDataset', times=2, dataset=images)
    with pytest.raises(ValueError, match="must have an id of its own, got 'cat/0.png' twice"):
        gallery_images(config)


def test_an_image_that_the_pipeline_rejects_is_not_replaced_by_another(config):
    images = config.test_dataloader.dataset.dataset
    images.test_mode = False
    images.pipeline = [*images.pipeline[:1], lambda item: item if item['sample_idx'] else None, *images.pipeline[1:]]
    data = gallery_images(config)
    assert data[1].shape == (3, 12, 12)
    with pytest.raises(ValueError, match=r"image '.*cat/0.png' cannot be loaded: the pipeline rejects it"):
        data[0]


def test_an_empty_data_set_is_refused(config):
    config.test_dataloader.dataset.dataset = dict(type='mmfct.Digits', indices=[], serialize_data=False)
    with pytest.raises(ValueError, match='a gallery needs images, got an empty data set'):
        gallery_images(config)


def test_workers_are_those_of_the_loader_of_the_images(config):
    assert number_of_workers(config, 'test') == 0
    config.test_dataloader.dataset.num_workers = 3
    assert number_of_workers(config, 'test') == 3
    config.train_dataloader = dict(dataset=dict(type='CIFAR100'), num_workers=2)
    assert number_of_workers(config, 'train') == 2
    assert number_of_workers(config, 'val') == 0
