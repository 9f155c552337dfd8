"""The pinhole camera of street scenes, and its disparity and camera files in CityScapes' format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# CityScapes' cameras: focal length in pixels at a width of 2048, and distance of the two cameras in metres.
_FOCAL, _WIDTH, _BASELINE = 2262.52, 2048, 0.209313
# Scenes end here; the disparity of farther surfaces is unknown.
_MAX_DEPTH = 400.0


@dataclass(frozen=True)
class Camera:
    """A camera above a street. World axes: x to the right, y up, z along the street; metres and radians.

    The field of view is that of CityScapes. Its baseline is not: a disparity of ``focal * baseline / depth`` pixels
    shrinks with the width, while files keep it in steps of 1/256 pixel. At a width of 128 the original baseline would
    leave 76 steps for everything beyond 100 m. The baseline therefore grows as the image shrinks, so that disparities
    are those of CityScapes at full size: about 1200 steps at 100 m, and the nearest depth that fits 16 bits is 1.85 m.

    Args:
        height: Rows of the image.
        width: Columns of the image.
        position: Place of the camera in the world; the second number is its height above the road.
        pitch: Angle by which it looks down.
        yaw: Angle by which it looks to the left.
    """

    height: int
    width: int
    position: tuple[float, float, float]
    pitch: float
    yaw: float

    @property
    def focal(self) -> float:
        """Focal length in pixels, the same for both axes."""
        return _FOCAL * self.width / _WIDTH

    @property
    def baseline(self) -> float:
        """Distance of the two cameras that disparities refer to, in metres."""
        return _BASELINE * _WIDTH / self.width

    @property
    def center(self) -> tuple[float, float]:
        """Column and row of the principal point: the middle of the image."""
        return (self.width - 1) / 2, (self.height - 1) / 2

    def rotation(self) -> np.ndarray:
        """Matrix of shape (3, 3) that takes camera axes (right, up, forward) to world axes."""
        (sp, cp), (sy, cy) = ((np.sin(a), np.cos(a)) for a in (self.pitch, self.yaw))
        down = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
        left = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        return left @ down

    def rays(self) -> np.ndarray:
        """Directions of shape (3, 2 * height + 1, 2 * width + 1), as ``float32``.

        Rays lie half a pixel apart; that of odd row 2 r + 1 and odd column 2 c + 1 goes through the centre of pixel
        (r, c). Their length is such that a surface at ``position + t * direction`` has depth t, measured along the
        optical axis.
        """
        columns = np.arange(2 * self.width + 1) / 2 - 0.5 - self.center[0]
        rows = np.arange(2 * self.height + 1) / 2 - 0.5 - self.center[1]
        right, down = np.meshgrid(columns / self.focal, rows / self.focal)
        return np.tensordot(self.rotation(), np.stack([right, -down, np.ones_like(right)]), 1).astype(np.float32)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Columns, rows and depths, each of shape (...), of world points of shape (..., 3)."""
        right, up, depth = np.moveaxis((points - np.array(self.position)) @ self.rotation(), -1, 0)
        safe = np.maximum(depth, 1e-6)
        return self.center[0] + self.focal * right / safe, self.center[1] - self.focal * up / safe, depth

    def description(self) -> dict:
        """Content of the camera file, as CityScapes lays it out (vehicle axes: x forward, y left, z up)."""
        extrinsic = dict(
            baseline=self.baseline,
            pitch=self.pitch,
            roll=0.0,
            x=0.0,
            y=0.0,
            yaw=self.yaw,
            z=self.position[1],
        )
        intrinsic = dict(fx=self.focal, fy=self.focal, u0=self.center[0], v0=self.center[1])
        return dict(extrinsic=extrinsic, intrinsic=intrinsic)

    def encode_disparity(self, depth: np.ndarray) -> np.ndarray:
        """Turn depths of shape (H, W) into a ``uint16`` map of ``disparity * 256 + 1``, 0 where there is none.

        Depths that are infinite, beyond 400 m, or so near that 16 bits do not hold their disparity, have none.
        """
        disparity = self.focal * self.baseline / depth
        code = np.rint(disparity * 256 + 1)
        return np.where((depth <= _MAX_DEPTH) & (code < 2**16), code, 0).astype(np.uint16)
