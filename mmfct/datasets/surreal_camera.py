"""SURREAL's coordinates: from SMPL to the world, and from the world to the image.

Facts about the published data and their scripts (Varol et al., "Learning from Synthetic Humans",
CVPR 2017): the camera looks along -x, down is +y, and its focal length is 600 pixels in images of 240x320. Images and
joints are mirror images of each other: the matrix from world to camera is a reflection, not a rotation.
"""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 240, 320
FOCAL = 600.0
CENTER = np.array([WIDTH / 2, HEIGHT / 2])
_TO_CAMERA = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
_QUARTER_TURN = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # about x


def to_camera(points: np.ndarray, location: np.ndarray) -> np.ndarray:
    """Return points (..., 3) in coordinates (right, down, depth), in metres, of a camera at ``location`` (3,)."""
    return (points - location) @ _TO_CAMERA.T


def project(points: np.ndarray, location: np.ndarray) -> np.ndarray:
    """Return the pixels (..., 2), column and row from 0, of world points (..., 3)."""
    seen = to_camera(points, location)
    return FOCAL * seen[..., :2] / seen[..., 2:] + CENTER


def to_world(zrot: float) -> np.ndarray:
    """Return the matrix (3, 3) that takes the rotation of the pelvis, ``pose[:3]``, to the world.

    Args:
        zrot: Angle of the whole body about the vertical axis, in radians.
    """
    cosine, sine = np.cos(zrot), np.sin(zrot)
    return _QUARTER_TURN @ np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
