"""Z-buffer for solids, and their bounds in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .camera import Camera
from .solid import Solid

_NEAR = 0.3
_CORNERS = np.array([[index >> 2 & 1, index >> 1 & 1, index & 1] for index in range(8)], dtype=bool)
_EDGES = np.array([[corner, corner | bit] for bit in (1, 2, 4) for corner in range(8) if not corner & bit])


def bounds(solids: Sequence[Solid], camera: Camera) -> tuple[np.ndarray, np.ndarray]:
    """Where solids can be seen.

    Returns:
        First and last row and column, each exclusive at its end, of shape (N, 4), in samples of ``camera.rays()``; and
        the smallest depth of shape (N,). What cannot be seen has an empty frame.
    """
    lower, upper, origin = (
        np.array([tuple(getattr(solid, name)) for solid in solids]) for name in ('lower', 'upper', 'origin')
    )
    x, y, z = np.moveaxis(np.where(_CORNERS, upper[:, None], lower[:, None]), -1, 0)
    yaw = np.array([solid.yaw for solid in solids])[:, None]
    sin, cos = np.sin(yaw), np.cos(yaw)
    corners = origin[:, None] + np.stack([cos * x + sin * z, y, cos * z - sin * x], -1)
    depths = camera.project(corners)[2]
    # An edge that reaches behind the eye is cut where it comes too near.
    start, end = corners[:, _EDGES[:, 0]], corners[:, _EDGES[:, 1]]
    first, last = depths[:, _EDGES[:, 0]], depths[:, _EDGES[:, 1]]
    cut = (first < _NEAR) != (last < _NEAR)
    share = np.where(cut, (_NEAR - first) / np.where(cut, last - first, 1), 0)
    points = np.concatenate([corners, start + share[..., None] * (end - start)], 1)
    columns, rows, distance = camera.project(points)
    seen = distance > _NEAR * 0.999
    frames = []
    for coordinates, size in ((rows, camera.height), (columns, camera.width)):
        first = np.floor(2 * np.where(seen, coordinates, np.inf).min(1) + 1)
        last = np.ceil(2 * np.where(seen, coordinates, -np.inf).max(1) + 2)
        frames += [np.clip(first, 0, 2 * size + 1), np.clip(last, 0, 2 * size + 1)]
    return np.stack(frames, 1).astype(int), depths.min(1)


class DepthBuffer:
    """What is seen along every ray: depth, number of the solid (-1 for none) and side of it.

    Args:
        camera: Where the scene is seen from.
        noise: Tile of shape (N, N), N a power of two, of values in [0, 1] for rough surfaces.
    """

    def __init__(self, camera: Camera, noise: np.ndarray) -> None:
        self.camera = camera
        self.noise = noise
        self.eye = np.array(camera.position, np.float32)
        self.rays = camera.rays()
        shape = self.rays.shape[1:]
        self.depth = np.full(shape, np.inf, np.float32)
        self.solid = np.full(shape, -1, np.int16)
        self.side = np.zeros(shape, np.int8)

    def draw(self, solids: Sequence[Solid]) -> None:
        """Draw solids, the nearest first, so that hidden ones are found out early."""
        frames, nearest = bounds(solids, self.camera)
        for index in np.argsort(nearest, kind='stable'):
            top, bottom, left, right = frames[index]
            if top < bottom and left < right:
                self._draw(solids[index], index, (slice(top, bottom), slice(left, right)), nearest[index])

    def _draw(self, solid: Solid, index: int, frame: tuple[slice, slice], nearest: float) -> None:
        rows, columns = frame
        before = self.depth[rows, columns]
        if before.max() <= nearest:
            return
        rays = self.rays[:, rows, columns].reshape(3, -1)
        dent = self._dent(solid, frame, nearest) if solid.rough else None
        seen, depth, side = solid.intersect(self.eye, rays, before.ravel(), dent)
        width = columns.stop - columns.start
        where = (seen // width + rows.start) * self.rays.shape[2] + seen % width + columns.start
        self.depth.ravel()[where] = depth
        self.solid.ravel()[where] = index
        self.side.ravel()[where] = side

    def _dent(self, solid: Solid, frame: tuple[slice, slice], distance: float) -> np.ndarray:
        """Roughness of shape (N,) at the rays of a frame, a pattern of constant size in metres."""
        cells = max(distance, 1) / self.camera.focal * 4
        rows, columns = (
            (np.arange(part.start, part.stop) * cells + 97 * style).astype(int) % len(self.noise)
            for part, style in zip(frame, solid.style[:2], strict=True)
        )
        return solid.rough * self.noise[rows[:, None], columns].ravel()
