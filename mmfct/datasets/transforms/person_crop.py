"""Crop the square around a person and resize it."""

from __future__ import annotations

import numpy as np

from mmfct.datasets.transforms.resampling import nearest_pixels, resize_image


def person_box(joints: np.ndarray, margin: float) -> tuple[int, int, int]:
    """Return the square around joints.

    Args:
        joints: Pixels (24, 2), column and row.
        margin: Side of the square, as a multiple of the larger extent of the joints.

    Returns:
        Row and column of its first pixel, which may be outside the image, and its side in pixels, at least 2.
    """
    low, high = joints.min(0), joints.max(0)
    side = max(round(float((high - low).max()) * margin), 2)
    column, row = np.floor((low + high - side) / 2 + 0.5).astype(int)
    return int(row), int(column), side


def crop(values: np.ndarray, box: tuple[int, int, int], fill: float) -> np.ndarray:
    """Cut out a square, padded where it exceeds the image.

    Args:
        values: Image or map of shape (H, W, ...).
        box: Row, column and side.
        fill: Value of the padding.

    Returns:
        Array of shape (side, side, ...).
    """
    row, column, side = box
    cut = np.full((side, side, *values.shape[2:]), fill, values.dtype)
    height, width = values.shape[:2]
    top, left = max(row, 0), max(column, 0)
    part = values[top : max(row + side, 0), left : max(column + side, 0)]
    cut[top - row : top - row + part.shape[0], left - column : left - column + part.shape[1]] = part
    return cut


def crop_image(image: np.ndarray, box: tuple[int, int, int], size: tuple[int, int]) -> np.ndarray:
    """Return the square of an image (H, W, C), black outside, resized to ``size`` (height, width)."""
    return resize_image(crop(image, box, 0), *size)


def crop_map(values: np.ndarray, box: tuple[int, int, int], size: tuple[int, int], fill: float) -> np.ndarray:
    """Return the square of a map (H, W), resized to ``size`` (height, width) by the nearest pixel."""
    rows, columns = (nearest_pixels(box[2], count) for count in size)
    return crop(values, box, fill)[rows[:, None], columns]
