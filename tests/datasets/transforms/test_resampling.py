"""Tests of resizing images and maps in the same geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmfct.datasets.transforms.resampling import nearest_pixels, resize_image


@pytest.mark.parametrize(('count', 'new_count'), [(5, 5), (7, 3), (3, 7), (1, 4), (128, 106), (106, 128)])
def test_nearest_pixels_match_torch(count, new_count):
    line = torch.arange(count, dtype=torch.float64)[None, None]
    expected = F.interpolate(line, size=new_count, mode='nearest-exact')[0, 0]
    assert nearest_pixels(count, new_count).tolist() == expected.tolist()


def test_enlarged_images_match_torch():
    image = np.random.default_rng(0).random((6, 9, 3)).astype(np.float32)
    expected = F.interpolate(torch.from_numpy(image).permute(2, 0, 1)[None], size=(16, 11), mode='bilinear')
    assert np.allclose(resize_image(image, 16, 11), expected[0].permute(1, 2, 0), atol=1e-6)


def test_shrunk_images_are_means():
    image = np.random.default_rng(0).random((8, 12, 2)).astype(np.float32)
    assert np.allclose(resize_image(image, 4, 3), image.reshape(4, 2, 3, 4, 2).mean(axis=(1, 3)), atol=1e-6)


@pytest.mark.parametrize('shape', [(6, 9), (6, 9, 1), (6, 9, 3)])
@pytest.mark.parametrize('size', [(3, 4), (12, 9)])
def test_number_of_axes_and_type_stay(shape, size):
    resized = resize_image(np.zeros(shape, np.uint8), *size)
    assert resized.shape == (*size, *shape[2:]) and resized.dtype == np.uint8
