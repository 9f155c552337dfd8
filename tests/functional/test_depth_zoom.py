"""What a zoom does to depth."""

from __future__ import annotations

import pytest

from mmfct.functional.depth_zoom import depth_zoom


def test_depth_and_inverse_depth_stay_inverse():
    assert depth_zoom('depth', 1.5) * depth_zoom('inverse_depth', 1.5) == pytest.approx(1)
    assert depth_zoom('disparity', 0.5) == 0.5 and depth_zoom('relative_depth', 7) == 1


@pytest.mark.parametrize('target', [None, 'height'])
def test_unknown_targets_are_refused(target):
    with pytest.raises(ValueError, match='`depth_target` must say what `gt_depth_map` holds, one of .*`meta_keys`'):
        depth_zoom(target, 2.0)
