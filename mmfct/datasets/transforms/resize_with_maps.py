"""Resize an image and its maps permanently."""

from __future__ import annotations

from collections.abc import Sequence

from mmfct.datasets.transforms.resampling import nearest_pixels, resize_image, scale_depth
from mmfct.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ResizeWithMaps:
    """Resize image, label map and depth map to the size at which a protocol trains and evaluates.

    This differs from the hosts' Resize in two ways. Disparity in pixels scales with the width. And ``ori_shape``
    becomes the new size, so predictions are compared with the labels at this size; after a host's Resize they are
    resized back to the size of the file.

    Images are resized by area averaging where both sides shrink, else bilinearly; the maps in ``seg_fields`` by the
    nearest pixel.

    Args:
        size: New height and width.

    Raises:
        ValueError: If ``size`` is not a pair of numbers above 0.
    """

    def __init__(self, size: Sequence[int]) -> None:
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'`size` must be (height, width), both at least 1, got {size!r}')
        self.size = (int(size[0]), int(size[1]))

    def __call__(self, results: dict) -> dict:
        """Resize the image and its maps.

        Args:
            results: The image of shape (H, W, channels) and its maps of shape (H, W).
        """
        height, width = self.size
        old_width = results['img'].shape[1]
        results['img'] = resize_image(results['img'], height, width)
        for field in results.get('seg_fields', ()):
            rows, columns = (nearest_pixels(*pair) for pair in zip(results[field].shape, self.size, strict=True))
            results[field] = results[field][rows[:, None], columns]
        if results.get('depth_target') == 'disparity':
            scale_depth(results, width / old_width)
        results['img_shape'] = results['ori_shape'] = self.size
        return results
