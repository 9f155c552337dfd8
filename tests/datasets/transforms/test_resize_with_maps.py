"""Tests of the transform that resizes image, label map and depth map."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.datasets.transforms import ResizeWithMaps


def make_results(target='inverse_depth') -> dict:
    rng = np.random.default_rng(0)
    return dict(
        img=rng.integers(0, 256, (8, 16, 3)).astype(np.uint8),
        gt_seg_map=rng.integers(0, 7, (8, 16)).astype(np.uint8),
        gt_depth_map=rng.random((8, 16)).astype(np.float32),
        seg_fields=['gt_seg_map', 'gt_depth_map'],
        depth_target=target,
        img_shape=(8, 16),
        ori_shape=(8, 16),
    )


@pytest.mark.parametrize(('target', 'factor'), [('inverse_depth', 1), ('depth', 1), ('disparity', 0.25), (None, 1)])
def test_everything_gets_the_new_size(target, factor):
    source, results = make_results(), ResizeWithMaps((4, 4))(make_results(target))
    assert results['img'].shape == (4, 4, 3) and results['img'].dtype == np.uint8
    assert results['img_shape'] == results['ori_shape'] == (4, 4)
    assert np.array_equal(results['gt_seg_map'], source['gt_seg_map'][1::2, 2::4])
    assert results['gt_seg_map'].dtype == np.uint8 and results['gt_depth_map'].dtype == np.float32
    assert np.array_equal(results['gt_depth_map'], source['gt_depth_map'][1::2, 2::4] * np.float32(factor))


def test_images_without_maps():
    results = ResizeWithMaps([16, 32])(dict(img=np.zeros((8, 16, 1), np.float32)))
    assert results['img'].shape == (16, 32, 1)


@pytest.mark.parametrize('size', [(4,), (0, 4), (4, 4, 3)])
def test_bad_size(size):
    with pytest.raises(ValueError, match=r'`size` must be \(height, width\), both at least 1, got \('):
        ResizeWithMaps(size)
