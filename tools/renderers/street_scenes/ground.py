"""The ground of a scene: its intersection with rays, and its colours."""

from __future__ import annotations

import numpy as np

from .depth_buffer import DepthBuffer
from .street import KERB_HEIGHT, Street

ROAD, KERB, PAVEMENT, FRONT = range(4)


def draw_ground(street: Street, buffer: DepthBuffer) -> None:
    """Enter the ground into an empty buffer: no solid, and as side the kind of the ground."""
    below = np.flatnonzero(buffer.rays[1] < -1e-4)
    rays, (x, height, z) = buffer.rays.reshape(3, -1)[:, below], buffer.eye

    def beyond(depth: np.ndarray, rays: np.ndarray) -> np.ndarray:
        return street.beyond_road(x + depth * rays[0], z + depth * rays[2])

    top, bottom = ((level - height) / rays[1] for level in (KERB_HEIGHT, 0))
    over, under = beyond(top, rays), beyond(bottom, rays)
    kind = np.where(over >= 0, PAVEMENT, np.where(under <= 0, ROAD, KERB)).astype(np.int8)
    # A ray that is over the road at the kerb's height and beyond it at the road's meets the kerb in between.
    kerb = np.flatnonzero(kind == KERB)
    first, last, kerb_rays = top[kerb], bottom[kerb], rays[:, kerb]
    for _ in range(12):
        middle = (first + last) / 2
        passed = beyond(middle, kerb_rays) >= 0
        first, last = np.where(passed, first, middle), np.where(passed, middle, last)
    depth = np.where(kind == PAVEMENT, top, bottom)
    depth[kerb] = last
    offset = x + depth * rays[0] - street.center(z + depth * rays[2])
    for side in (0, 1):
        far = offset * (-1, 1)[side] > street.half_width + street.pavements[side]
        if street.grass[side]:
            kind[far & (kind == PAVEMENT)] = FRONT
    buffer.depth.ravel()[below] = depth
    buffer.side.ravel()[below] = kind


def color_ground(street: Street, kind: np.ndarray, x: np.ndarray, z: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Reflectances of shape (3, N) of ground points.

    Args:
        street: The street.
        kind: Kinds of ground of shape (N,).
        x: World x of shape (N,).
        z: World z of shape (N,).
        noise: Tile of noise of shape (M, M), M a power of two.
    """

    def pattern(scale: float) -> np.ndarray:
        cells = (np.stack([x, z]) * scale + 400).astype(int) & len(noise) - 1
        return noise[cells[0], cells[1]]

    offset = x - street.center(z)
    color = street.colors[kind].T * (0.75 + 0.3 * pattern(20) + 0.4 * (pattern(1.3) - 0.5))
    color *= np.where((kind == FRONT), 0.6 + 0.8 * pattern(6), 1)
    slabs = (np.minimum(offset % 1.0, z % (0.6 + street.style[0])) < 0.06) & (kind == PAVEMENT)
    color *= np.where(slabs, 0.75, 1)
    if street.style[1] < 0.3:
        color *= np.where((pattern(0.6) > 0.62) & (kind == ROAD), 0.7, 1)
    worn = 0.35 + 0.4 * street.style[2] * pattern(10)
    return np.where(_marked(street, offset, z) & (kind == ROAD), worn, color)


def _marked(street: Street, offset: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Whether points of shape (N,) on the road have white paint."""
    lane = (street.half_width - street.parking) / street.lanes
    dashed = z % 9 < 4
    marked = np.zeros(offset.shape, bool)
    if street.style[3] < 0.75:
        marked |= (np.abs(offset) < 0.08) & (dashed | (street.style[3] < 0.2))
    if street.lanes > 1:
        marked |= (np.abs(np.abs(offset) - lane) < 0.08) & dashed
    if street.style[4] < 0.5:
        marked |= np.abs(np.abs(offset) - lane * street.lanes + 0.1) < 0.07
    if street.crossing is not None:
        before = street.crossing[0] - street.crossing[1] - z
        marked &= before > 0
        if street.style[5] < 0.6:
            marked &= before > 5
            marked |= (np.abs(before - 2.5) < 1.5) & (offset % 1 < 0.5)
        marked |= (np.abs(before - 5.2) < 0.2) & (offset > 0) & (offset < lane * street.lanes)
    return marked
