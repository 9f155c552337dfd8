"""The images of a gallery, from the data set of a config."""

from __future__ import annotations

import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset
from mmengine.registry import DATASETS, TRANSFORMS

from mmfct.apis.extract_gallery.images import GalleryImages


@DATASETS.register_module(force=True)
class Named(BaseDataset):
    """Two images, named after the data set."""

    def load_data_list(self):
        return [dict(img_path=f'{self.data_root}/{index}.png', gt_label=index) for index in range(2)]


@TRANSFORMS.register_module(force=True)
class Mark:
    """Says which pipeline an image went through."""

    def __init__(self, name: str):
        self.name = name

    def __call__(self, results):
        return dict(inputs=self.name, data_samples=results['img_path'])


def named(root: str, pipeline: str) -> dict:
    return dict(type='Named', data_root=root, pipeline=[dict(type='Mark', name=pipeline)])


def joined(*datasets: dict) -> dict:
    return dict(type='ConcatDataset', datasets=list(datasets))


@pytest.fixture
def config(tmp_path) -> Config:
    """A training set and a test set, each of two folders."""
    roots = [str(tmp_path / name) for name in 'ab']
    train, test = (joined(*(named(root, pipeline) for root in roots)) for pipeline in ('augment', 'plain'))
    return Config(dict(train_dataloader=dict(dataset=train), test_dataloader=dict(dataset=test)))


@pytest.mark.parametrize('split', ['train', 'test'])
def test_joined_data_sets_go_through_the_pipeline_of_the_test(config, split, tmp_path):
    images = GalleryImages(config, split=split)
    assert [images[index]['inputs'] for index in range(4)] == ['plain'] * 4
    assert all(dataset.test_mode for dataset in images._images.datasets)
    assert images.ids.tolist() == ['0.png', '1.png', f'{tmp_path}/b/0.png', f'{tmp_path}/b/1.png']
    assert np.array_equal(images.labels, [0, 1, 0, 1])


def test_the_fingerprint_knows_every_pipeline(config):
    before = GalleryImages(config).fingerprint
    assert GalleryImages(config).fingerprint == before
    config.test_dataloader.dataset.datasets[1].pipeline[0].name = 'other'
    assert GalleryImages(config).fingerprint != before


def test_an_embedding_table_stands_for_its_images(config, tmp_path):
    config.test_dataloader.dataset = dict(
        type='mmfct.EmbeddingTable', path='none', dataset=named(str(tmp_path), 'plain'), encoders={}
    )
    assert GalleryImages(config).ids.tolist() == ['0.png', '1.png']
    assert not (tmp_path / 'none').exists()
