"""Tests of images with a rectangle of another image in them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset
from mmengine.registry import MODELS, init_default_scope

from mmfct.datasets import CutMixImages, EmbeddingTable
from mmfct.datasets.cut_mix_images import random_rectangle

SIZE = 12


class Flat(BaseDataset):
    """Image i is full of the number i + 1; its label is i. ``sizes`` are heights."""

    def __init__(self, sizes=(SIZE,) * 6):
        init_default_scope('mmpretrain')
        self.sizes = sizes
        super().__init__(pipeline=[dict(type='PackInputs')], metainfo=dict(classes=tuple('abcdef')))

    def load_data_list(self):
        return [
            dict(img=np.full((size, SIZE, 3), i + 1, dtype=np.uint8), gt_label=i) for i, size in enumerate(self.sizes)
        ]


def test_a_rectangle_of_another_image_and_the_label_of_the_larger_part():
    plain, mixed = Flat(), CutMixImages(Flat())
    assert len(mixed) == 6 and mixed.metainfo['classes'] == tuple('abcdef')
    shares, labels = [], set()
    for i in list(range(6)) * 50:
        item = mixed[i]
        image, sample = item['inputs'], item['data_samples']
        assert image.shape == plain[i]['inputs'].shape and image.dtype == plain[i]['inputs'].dtype
        foreign = image[0] != i + 1
        if foreign.any():
            rows, columns = foreign.any(1).nonzero()[:, 0], foreign.any(0).nonzero()[:, 0]
            assert foreign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # one rectangle
            (other,) = image[:, foreign].unique().tolist()  # of one image, in all channels
        share = foreign.float().mean().item()
        assert int(sample.gt_label) == (other - 1 if share > 0.5 else i)
        assert sample.sample_idx == i
        shares.append(share)
        labels.add(int(sample.gt_label) == i)
    assert labels == {True, False}
    assert min(shares) < 0.05 and max(shares) > 0.6


def test_the_wrapped_images_stay_as_they_are():
    items = [Flat()[i] for i in range(6)]

    class Kept(Flat):  # delivers the same tensors and samples every time
        def __getitem__(self, idx):
            return items[idx]

    mixed = CutMixImages(Kept())
    for _ in range(20):
        mixed[0]
    for i, item in enumerate(items):
        assert (item['inputs'] == i + 1).all() and int(item['data_samples'].gt_label) == i


def test_shares_before_the_border_cuts_are_uniform():
    inside = []
    for _ in range(4000):
        top, bottom, left, right = random_rectangle(1000, 500)
        assert 0 <= top <= bottom <= 1000 and 0 <= left <= right <= 500
        if top > 0 and bottom < 1000 and left > 0 and right < 500:
            assert abs((bottom - top) - 2 * (right - left)) <= 4  # of the image's own shape
        inside.append((bottom - top) * (right - left) / 500_000)
    # Without the border the mean is 1/2. Along a side, a length r around a uniform centre keeps r - r^2 / 4 of it:
    # the mean of its square over r = sqrt(u) is 1/2 - 1/5 + 1/48.
    assert np.mean(inside) == pytest.approx(1 / 2 - 1 / 5 + 1 / 48, abs=0.015)


def test_images_of_several_sizes_are_refused():
    mixed = CutMixImages(Flat([SIZE, SIZE + 1]))
    with pytest.raises(ValueError, match=r'images must be of one size, got \(3, 1[23], 12\) and \(3, 1[23], 12\)'):
        for _ in range(50):
            mixed[0]


def test_something_else_than_a_data_set_is_refused():
    with pytest.raises(TypeError, match=r"`dataset` must be a config or an mmengine data set, got <class 'list'>"):
        CutMixImages([1, 2])


def test_a_table_of_embeddings_takes_them(tmp_path):
    resnet = dict(type='mmpretrain.ResNet', depth=18, base_channels=2, stem_channels=2, num_stages=1, strides=(1,))
    backbone = dict(resnet, dilations=(1,), out_indices=(0,), init_cfg=None)
    neck = dict(type='mmpretrain.GlobalAveragePooling')
    preprocessor = dict(type='mmpretrain.ClsDataPreprocessor', mean=[3.0] * 3, std=[1.0] * 3)
    weights = {f'backbone.{name}': value for name, value in MODELS.build(backbone).state_dict().items()}
    torch.save(weights, tmp_path / 'encoder.pth')
    encoder = dict(backbone=backbone, neck=neck, data_preprocessor=preprocessor)
    encoder['checkpoint'] = str(tmp_path / 'encoder.pth')
    encoders = dict(old=encoder, new=encoder)
    options = dict(dataset=dict(type=CutMixImages, dataset=dict(type=Flat)), encoders=encoders, num_views=3)
    table = EmbeddingTable(str(tmp_path / 'table'), **options)
    table.full_init()
    assert len(table) == 6 and table.gallery.rows('id', np.arange(18)).tolist() == list(range(6)) * 3
    assert table.gallery.rows('label', np.arange(18)).tolist() != list(range(6)) * 3
    views = table.gallery.rows('old', np.arange(18)).reshape(3, 6, -1)
    assert not np.allclose(views[0], views[1])
