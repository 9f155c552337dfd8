"""Tests of the transform that zooms into image, label map and depth map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from mmfct.datasets.transforms import RandomZoomCrop

SIZE = (16, 32)


def make_results(target='inverse_depth', channels=3) -> dict:
    """An image whose channels are row and column, and maps of the column and the row."""
    rows, columns = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]), indexing='ij')
    return dict(
        img=np.stack([rows, columns, rows], axis=-1)[..., :channels].astype(np.float32),
        gt_seg_map=columns.astype(np.uint8),
        gt_depth_map=(rows + 1).astype(np.float32),
        seg_fields=['gt_seg_map', 'gt_depth_map'],
        depth_target=target,
    )


@pytest.mark.parametrize('scale', [1.2, 1.5, 2.0, 100.0])
def test_matches_torch_on_the_same_window(scale):
    source = make_results()
    results = RandomZoomCrop([scale], scale_depth='published')(make_results())
    height, width = max(int(SIZE[0] / scale), 1), max(int(SIZE[1] / scale), 1)
    top, left = int(results['gt_depth_map'].min() * scale - 0.5), int(results['gt_seg_map'].min())
    window = np.s_[top : top + height, left : left + width]

    def resize(array, **mode):
        return F.interpolate(torch.from_numpy(array)[None], size=SIZE, **mode)[0].numpy()

    image = resize(source['img'][window].transpose(2, 0, 1), mode='bilinear', align_corners=False)
    assert np.allclose(results['img'], image.transpose(1, 2, 0), atol=1e-4)
    labels = resize(source['gt_seg_map'][window].astype(np.float32)[None], mode='nearest-exact')[0]
    assert np.array_equal(results['gt_seg_map'], labels)
    # As in the published protocol (`RandomScaleCrop`), divided by the scale; that one takes torch's 'nearest'.
    depth = resize(source['gt_depth_map'][window][None], mode='nearest-exact')[0] / scale
    assert np.allclose(results['gt_depth_map'], depth, rtol=1e-6)


@pytest.mark.parametrize(
    ('target', 'mode', 'factor'),
    [
        ('inverse_depth', 'geometric', 2.0),
        ('disparity', 'geometric', 2.0),
        ('depth', 'geometric', 0.5),
        ('inverse_depth', 'published', 0.5),
        ('depth', 'published', 0.5),
    ],
)
def test_values_of_the_depth_map(target, mode, factor):
    results = make_results(target)
    results['gt_depth_map'][:] = 3
    results['gt_depth_map'][:, ::2] = 0
    zoomed = RandomZoomCrop([2.0], scale_depth=mode)(results)['gt_depth_map']
    assert zoomed.dtype == np.float32
    assert set(np.unique(zoomed)) == {0.0, 3 * factor}  # unknown stays unknown


def test_a_flat_scene_stays_consistent_with_its_geometry():
    # A camera of twice the focal length sees the middle half of the image, all at half the depth.
    depth, inverse = make_results('depth'), make_results()
    inverse['gt_depth_map'] = 1 / inverse['gt_depth_map']
    zoom = RandomZoomCrop([1.5])
    np.random.seed(3)
    first = zoom(depth)['gt_depth_map']
    np.random.seed(3)
    assert np.allclose(first * zoom(inverse)['gt_depth_map'], 1)


def test_image_and_maps_show_the_same_window():
    for seed in range(20):
        np.random.seed(seed)
        results = RandomZoomCrop([1.5], scale_depth='published')(make_results())
        # Half a pixel of the window: the nearest pixel against the interpolated one.
        assert np.abs(results['img'][..., 1] - results['gt_seg_map']).max() <= 0.51
        assert np.abs(results['img'][..., 0] + 1 - results['gt_depth_map'] * 1.5).max() <= 0.51


def test_every_window_is_drawn():
    corners = {
        (results['img'][0, 0, 0], results['img'][0, 0, 1])
        for results in (RandomZoomCrop([8.0])(make_results()) for _ in range(4000))
    }
    assert len(corners) == (SIZE[0] - 2 + 1) * (SIZE[1] - 4 + 1)


def test_choice_of_scale_and_probability():
    def zoomed(**options):
        zoom = RandomZoomCrop([1.0, 2.0], **options)
        return np.mean([zoom(make_results())['gt_depth_map'][0, 0] % 2 == 0 for _ in range(400)])

    assert zoomed(prob=0.0) == 0
    assert 0.4 < zoomed() < 0.6
    assert 0.15 < zoomed(prob=0.5) < 0.35


def test_uint8_images_of_one_channel_and_images_without_maps():
    image = np.zeros((16, 32, 1), np.uint8)
    results = RandomZoomCrop([2.0])(dict(img=image))
    assert results['img'].shape == (16, 32, 1) and results['img'].dtype == np.uint8
    results = make_results(target=None)
    del results['gt_depth_map']
    assert RandomZoomCrop([2.0])({**results, 'seg_fields': ['gt_seg_map']})['gt_seg_map'].dtype == np.uint8


def test_input_arrays_are_not_changed():
    results = make_results()
    before = results['gt_depth_map'].copy()
    depth_map = results['gt_depth_map']
    RandomZoomCrop([2.0])(results)
    assert np.array_equal(depth_map, before)


def test_unknown_kind_of_depth():
    with pytest.raises(ValueError, match='`depth_target` must say what `gt_depth_map` holds, .* got None'):
        RandomZoomCrop([2.0])(make_results(target=None))
    RandomZoomCrop([2.0], scale_depth='published')(make_results(target=None))
    results = make_results(target=None)
    results['gt_depth_map'][:] = 3
    assert RandomZoomCrop([2.0], depth_target='depth')(results)['gt_depth_map'].max() == 1.5


@pytest.mark.parametrize(
    ('options', 'match'),
    [
        (dict(scales=[]), r'`scales` must be finite numbers of at least 1, got \(\)'),
        (dict(scales=[0.5, 1]), r'`scales` must be .* got \(0\.5, 1\.0\)'),
        (dict(scales=[float('nan')]), r'`scales` must be .* got \(nan,\)'),
        (dict(prob=1.5), '`prob` must be from 0 to 1, got 1.5'),
        (dict(depth_target='none'), "`depth_target` must say what .* got 'none'"),
        (dict(scale_depth='none'), "`scale_depth` must be one of .*geometric.*published.*, got 'none'"),
    ],
)
def test_bad_options(options, match):
    with pytest.raises(ValueError, match=match):
        RandomZoomCrop(**options)


def test_depth_relative_to_a_point_keeps_its_values():
    results = make_results('relative_depth')
    before = results['gt_depth_map'].copy()
    after = RandomZoomCrop(scales=(1.5,))(results)['gt_depth_map']
    assert after.shape == before.shape and not np.array_equal(after, before)
    assert set(after.ravel().tolist()) <= set(before.ravel().tolist())
