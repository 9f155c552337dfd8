"""Tests of what is noticed about images that are zoomed while their depth stays."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.models.tasks.zooms import ZoomCheck
from mmfct.registry import TRANSFORMS


def meta_of(height: int, width: int, **resize) -> dict:
    """What a pipeline of mmseg notes about an image."""
    image = np.zeros((height, width, 3), np.uint8)
    depth = np.ones((height, width), np.float32)
    results = dict(img=image, ori_shape=(height, width), img_path='a.png', gt_depth_map=depth, depth_target='depth')
    results.update(seg_fields=['gt_depth_map'], img_shape=(height, width))
    zooms = resize.pop('zooms', False)
    steps = [dict(dict(type='mmseg.Resize', keep_ratio=True), **resize), *[dict(type='mmfct.ZoomDepth')] * zooms]
    for step in steps:
        results = TRANSFORMS.build(step)(results)
    return {key: results[key] for key in ('ori_shape', 'scale_factor', 'img_path', 'zoom') if key in results}


def looks(metas: list[dict]) -> None:
    check = ZoomCheck()
    for meta in metas:
        check.look(meta)


def test_images_of_one_size_that_are_zoomed_differently_are_refused():
    metas = [meta_of(24, 32, scale_factor=2.0), meta_of(24, 32, scale_factor=1.5)]
    message = r'got 1\.5 x 1\.5 for a\.png and 2 x 2 for another image of its size; put dict\(.*ZoomDepth.*`meta_keys`'
    with pytest.raises(ValueError, match=message):
        looks(metas)
    looks([meta_of(24, 32, scale_factor=factor, zooms=True) for factor in (2.0, 1.5)])


def test_images_of_several_sizes_that_get_one_size_are_warned_of_once(capsys):
    sizes = [(48, 64), (24, 32), (12, 16)]
    looks([meta_of(*size, scale=(32, 32), keep_ratio=False) for size in sizes])
    text = ' '.join(capsys.readouterr().out.split())
    assert text.count('images of several sizes are resized by different factors, 1 x 1.33 for a.png') == 1
    assert 'right only if all sizes show the same field of view' in text
    looks([meta_of(*size, scale=(32, 32), zooms=True) for size in sizes])
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    'metas',
    [
        [{}, dict(scale_factor=(1, 1))],  # packed without what is needed
        [meta_of(48, 64, scale=(32, 32)), meta_of(48, 64, scale=(32, 32))],
        [meta_of(481, 641, scale=(32, 24)), meta_of(480, 640, scale=(32, 24))],  # rounded
    ],
)
def test_other_images_are_not_noticed(metas, capsys):
    looks(metas)
    assert not capsys.readouterr().out
