"""Tests of the transform that loads pre-processed images."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.datasets.transforms import LoadNpyImage


def load(tmp_path, array, **options):
    np.save(tmp_path / '0.npy', array)
    return LoadNpyImage(**options)(dict(img_path=str(tmp_path / '0.npy')))


@pytest.mark.parametrize('dtype', [np.float64, np.float32])
def test_becomes_bgr_from_0_to_255(tmp_path, dtype):
    image = np.random.default_rng(0).random((4, 6, 3)).astype(dtype)
    results = load(tmp_path, image)
    assert results['img'].dtype == np.uint8 and results['img'].flags.c_contiguous
    assert np.array_equal(results['img'], np.rint(image[..., ::-1].astype(np.float32) * 255))
    assert results['img_shape'] == results['ori_shape'] == (4, 6)


def test_float32_keeps_the_numbers_through_the_data_preprocessor(tmp_path):
    preprocessor_class = pytest.importorskip('mmseg.models').SegDataPreProcessor
    import torch
    from mmseg.structures import SegDataSample

    image = np.random.default_rng(0).random((4, 6, 3)).astype(np.float32)
    loaded = load(tmp_path, image, to_float32=True)['img']
    assert loaded.dtype == np.float32
    preprocessor = preprocessor_class(mean=[0.0] * 3, std=[255.0] * 3, bgr_to_rgb=True)
    inputs = [torch.from_numpy(loaded).permute(2, 0, 1)]
    batch = preprocessor(dict(inputs=inputs, data_samples=[SegDataSample(metainfo=dict(img_shape=(4, 6)))]))
    assert np.allclose(batch['inputs'][0].permute(1, 2, 0).numpy(), image, rtol=0, atol=1e-7)


def test_overshoot_of_resizing_is_clipped(tmp_path):
    results = load(tmp_path, np.array([[[-0.005, 0.5, 1.005]]]), to_float32=True)
    assert results['img'].tolist() == [[[255, 127.5, 0]]]


@pytest.mark.parametrize(
    ('array', 'match'),
    [
        (np.zeros((4, 6)), r'0\.npy must hold an image of shape \(H, W, 3\), got \(4, 6\)'),
        (np.zeros((3, 4, 6)), r'0\.npy must hold an image of shape \(H, W, 3\), got \(3, 4, 6\)'),
        (np.zeros((0, 4, 3)), r'0\.npy must hold an image of shape'),
        (np.full((4, 6, 3), 200.0), r'0\.npy must hold floats from 0 to 1, got float64 from 200 to 200'),
        (np.full((4, 6, 3), -0.1), r'0\.npy must hold floats from 0 to 1, got float64 from -0\.1'),
        (np.zeros((4, 6, 3), np.uint8), r'0\.npy must hold floats from 0 to 1, got uint8'),
        (np.full((4, 6, 3), np.nan), r'0\.npy must hold finite numbers'),
    ],
)
def test_bad_images(tmp_path, array, match):
    with pytest.raises(ValueError, match=match):
        load(tmp_path, array)
