"""Zoom into an image and its maps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mmfct.datasets.transforms.resampling import nearest_pixels, resize_image, scale_depth
from mmfct.functional.depth_zoom import depth_zoom
from mmfct.registry import TRANSFORMS

_MODES = ('geometric', 'published')


@TRANSFORMS.register_module()
class RandomZoomCrop:
    """Zoom by a random factor s and crop to the old size: image, label map and depth map together.

    A window of the size (floor(H / s), floor(W / s)) at a random place is resized to (H, W): the image by bilinear
    interpolation, the maps in ``seg_fields`` by the nearest pixel. Zooming in brings everything nearer by the
    factor s, so depth is divided by s, inverse depth and disparity are multiplied by it (see `depth_zoom`).

    The transform of the published two-task protocol (``RandomScaleCrop`` of MTAN and Nash-MTL, with the default
    scales) divides the depth map by s although it holds *inverse* depth. ``scale_depth='published'`` does so too.
    Some differences remain: the published image interpolation aligns the corners, and its maps take the pixel at the
    upper left of the nearest one, so that both are off by up to a pixel of the window, by different amounts.

    Args:
        scales: Factors, at least 1, drawn with equal probabilities.
        prob: Probability of drawing a factor at all.
        scale_depth: ``'geometric'``, or ``'published'`` to divide whatever the depth map holds.
        depth_target: What the depth map holds, as for `ZoomDepth`.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        scales: Sequence[float] = (1.0, 1.2, 1.5),
        *,
        prob: float = 1.0,
        scale_depth: str = 'geometric',
        depth_target: str | None = None,
    ) -> None:
        scales = tuple(float(scale) for scale in scales)
        if not scales or not all(1 <= scale < math.inf for scale in scales):
            raise ValueError(f'`scales` must be finite numbers of at least 1, got {scales!r}')
        if not 0 <= prob <= 1:
            raise ValueError(f'`prob` must be from 0 to 1, got {prob!r}')
        if scale_depth not in _MODES:
            raise ValueError(f'`scale_depth` must be one of {_MODES}, got {scale_depth!r}')
        if depth_target is not None:
            depth_zoom(depth_target, 1.0)
        self.scales = scales
        self.prob = prob
        self.scale_depth = scale_depth
        self.depth_target = depth_target

    def __call__(self, results: dict) -> dict:
        """Zoom the image and its maps.

        Args:
            results: The image of shape (H, W, channels) and its maps of shape (H, W).

        Raises:
            ValueError: If there is a depth map without a ``depth_target``.
        """
        if np.random.random() >= self.prob:
            return results
        scale = float(np.random.choice(self.scales))
        if scale == 1:
            return results
        height, width = results['img'].shape[:2]
        window_height, window_width = max(int(height / scale), 1), max(int(width / scale), 1)
        top = np.random.randint(height - window_height + 1)
        left = np.random.randint(width - window_width + 1)
        rows = top + nearest_pixels(window_height, height)
        columns = left + nearest_pixels(window_width, width)

        window = results['img'][top : top + window_height, left : left + window_width]
        results['img'] = resize_image(window, height, width)
        for field in results.get('seg_fields', ()):
            results[field] = results[field][rows[:, None], columns]
        if 'gt_depth_map' in results:
            scale_depth(results, self._depth_factor(results, scale))
        return results

    def _depth_factor(self, results: dict, scale: float) -> float:
        """Return what the values of the depth map are multiplied by."""
        if self.scale_depth == 'published':
            return 1 / scale
        return depth_zoom(self.depth_target or results.get('depth_target'), scale)
