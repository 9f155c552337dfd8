"""Depth follows the resize of a host: the same scene, nearer or farther."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.datasets.transforms import ZoomDepth
from mmfct.registry import TRANSFORMS


def make_results(target: str | None = 'inverse_depth', size: tuple[int, int] = (16, 32)) -> dict:
    depth = np.full(size, 3, np.float32)
    depth[:, ::2] = 0
    return dict(
        img=np.zeros((*size, 3), np.uint8),
        gt_depth_map=depth,
        seg_fields=['gt_depth_map'],
        depth_target=target,
        img_shape=size,
        ori_shape=size,
    )


def resized(results: dict, **options) -> dict:
    options = dict(keep_ratio=True) | options
    for step in (dict(type='mmseg.Resize', **options), dict(type='mmfct.ZoomDepth')):
        results = TRANSFORMS.build(step)(results)
    return results


@pytest.mark.parametrize(
    ('target', 'factor'), [('inverse_depth', 2), ('disparity', 2), ('depth', 0.5), ('relative_depth', 1)]
)
def test_an_enlarged_image_is_a_nearer_scene(target, factor):
    results = resized(make_results(target), scale=(64, 32))
    assert results['gt_depth_map'].shape == (32, 64) and results['gt_depth_map'].dtype == np.float32
    assert set(np.unique(results['gt_depth_map'])) == {0.0, 3.0 * factor}  # unknown stays unknown
    assert results['zoom'] == 2


def test_the_pipeline_may_say_what_the_map_holds():
    for target, factor in (('depth', 0.5), ('relative_depth', 1)):
        results = TRANSFORMS.build(dict(type='mmseg.Resize', scale=(64, 32), keep_ratio=True))(make_results(None))
        results = ZoomDepth(target)(results)
        assert results['gt_depth_map'].max() == 3 * factor and results['depth_target'] == target
    with pytest.raises(ValueError, match="`depth_target` must say what .* got 'metres'"):
        ZoomDepth('metres')


def test_a_pinhole_camera_agrees():
    # A plane at 6 m fills 24 pixels of the width; resized to 36 pixels, it looks as from 4 m.
    focal_length, width = 40.0, 3.6
    apparent = 1.5 * focal_length * width / 6
    results = resized(make_results('depth') | dict(gt_depth_map=np.full((16, 32), 6, np.float32)), scale_factor=1.5)
    assert focal_length * width / results['gt_depth_map'][0, 0] == pytest.approx(apparent)


def test_random_resize_draws_a_zoom_of_its_own():
    random_resize = dict(type='RandomResize', scale=(32, 16), ratio_range=(0.5, 2.0), keep_ratio=True)
    steps = [TRANSFORMS.build(step) for step in (random_resize, dict(type='mmfct.ZoomDepth'))]
    zooms = set()
    for seed in range(5):
        np.random.seed(seed)
        results = steps[1](steps[0](make_results()))
        assert results['gt_depth_map'].max() == pytest.approx(3 * results['zoom'])
        assert results['zoom'] == results['img'].shape[1] / 32
        zooms.add(results['zoom'])
    assert len(zooms) > 2


def test_zooms_multiply_and_the_fill_of_hosts_stays():
    results = make_results()
    results['gt_depth_map'][0, 1] = 255  # what mmseg's RandomRotate leaves
    results['gt_depth_map'][0, 0] = 0.5 * 65535  # the largest number of a 16-bit file is no depth
    results['depth_rescale_factor'] = 0.5
    twice = resized(resized(results, scale_factor=2.0), scale_factor=2.0)
    assert twice['zoom'] == 4 and set(np.unique(twice['gt_depth_map'])) == {0.0, 12.0, 255.0, 32767.5}


def test_images_without_depth_are_only_noted():
    results = make_results()
    del results['gt_depth_map'], results['depth_target']
    assert resized(results | dict(seg_fields=[]), scale_factor=0.5)['zoom'] == 0.5


@pytest.mark.parametrize(
    ('change', 'match'),
    [
        (dict(scale_factor=(2.0, 1.0)), '`keep_ratio=True` must be set .* got the factors 2 of the width and 1 of'),
        (dict(depth_target=None), '`depth_target` must say what `gt_depth_map` holds, .* got None'),
    ],
)
def test_what_is_no_zoom_is_refused(change, match):
    with pytest.raises(ValueError, match=match):
        ZoomDepth()(make_results() | dict(scale_factor=(1.5, 1.5)) | change)


def test_an_image_that_was_not_resized_is_refused():
    with pytest.raises(ValueError, match='must resize the image right before mmfct.ZoomDepth, got no `scale_factor`'):
        ZoomDepth()(make_results())


def test_rounding_of_hosts_is_no_stretch():
    # 13 x 37 times 0.7 is 9 x 26: the factors differ by a hundredth.
    assert resized(make_results(size=(13, 37)), scale_factor=0.7)['zoom'] == 26 / 37
