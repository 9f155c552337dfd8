"""Resize images and maps consistently."""

from __future__ import annotations

import numpy as np

from mmfct.functional.measured_depth import is_largest

# Hosts' transforms, such as mmseg's RandomRotate, fill maps with the ignored label of segmentation, and depth too.
_FILL = 255


def scale_depth(results: dict, factor: float) -> None:
    """Multiply the values of a depth map, in place, except those that are no measurement.

    These are what a host's transform has filled it with, and the largest number of a 16-bit file.

    Args:
        results: What the transforms pass on, with ``gt_depth_map`` of shape (H, W).
        factor: The factor.
    """
    depth = results['gt_depth_map']
    kept = (depth == _FILL) | is_largest(depth, results.get('depth_rescale_factor', 1.0))
    results['gt_depth_map'] = np.where(kept, depth, depth * np.float32(factor))


def nearest_pixels(count: int, new_count: int) -> np.ndarray:
    """Find the old pixel that contains the centre of each new one.

    Args:
        count: Old height or width.
        new_count: New height or width.

    Returns:
        Positions of old pixels, int64 of shape (new_count,).
    """
    return ((np.arange(new_count) + 0.5) * (count / new_count)).astype(np.int64)


def resize_image(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize an image: by the mean of the area where both sides shrink, else by bilinear interpolation.

    Args:
        image: Image of shape (H, W) or (H, W, channels).
        height: New height.
        width: New width.

    Returns:
        Image of shape (height, width) or (height, width, channels), of the same type.
    """
    import cv2

    shrinks = height <= image.shape[0] and width <= image.shape[1]
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(image), (width, height), interpolation=interpolation)
    return resized.reshape(height, width, *image.shape[2:])  # OpenCV drops a single channel
