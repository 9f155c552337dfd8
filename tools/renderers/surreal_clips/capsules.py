"""Depth of capsules, by intersecting them with the rays of pixels."""

from __future__ import annotations

import numpy as np

from mmfct.datasets.surreal_camera import CENTER, FOCAL, HEIGHT, WIDTH


def draw_capsules(start: np.ndarray, end: np.ndarray, radius: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find what each pixel sees of capsules, in coordinates of the camera (right, down, depth) in metres.

    Args:
        start: One end of each of P axes, (P, 3).
        end: The other end, (P, 3).
        radius: Radii (P,).

    Returns:
        Depth (H, W), infinite where there is nothing; the number of the capsule (H, W), -1 where there is none; and
        normals (H, W, 3) of length 1, 0 where there is none.
    """
    depth = np.full((HEIGHT, WIDTH), np.inf)
    owner = np.full((HEIGHT, WIDTH), -1)
    normal = np.zeros((HEIGHT, WIDTH, 3))
    for number, (a, b, r) in enumerate(zip(start, end, radius, strict=True)):
        window = _window(a, b, r)
        rows, columns = np.mgrid[window]
        if not rows.size:
            continue
        rays = np.stack([(columns - CENTER[0]) / FOCAL, (rows - CENTER[1]) / FOCAL, np.ones(rows.shape)], -1)
        found, along = _intersect(rays, a, b, r)
        nearer = found < depth[window]
        points = rays[nearer] * found[nearer][:, None]
        depth[window][nearer] = found[nearer]
        owner[window][nearer] = number
        normal[window][nearer] = (points - (a + along[nearer][:, None] * (b - a))) / r
    return depth, owner, normal


def _window(a: np.ndarray, b: np.ndarray, r: float) -> tuple[slice, slice]:
    """Return the rows and columns that a capsule can be seen in."""
    nearest = max(min(a[2], b[2]) - r, 1e-3)
    corners = []
    for axis, size in ((1, HEIGHT), (0, WIDTH)):
        ends = [(point[axis] + sign * r) / z for point in (a, b) for sign in (-1, 1) for z in (nearest, point[2] + r)]
        low, high = CENTER[axis] + FOCAL * min(ends), CENTER[axis] + FOCAL * max(ends)
        corners.append(slice(int(np.clip(np.floor(low), 0, size)), int(np.clip(np.ceil(high) + 1, 0, size))))
    return corners[0], corners[1]


def _intersect(rays: np.ndarray, a: np.ndarray, b: np.ndarray, r: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the depth where rays (h, w, 3) of depth 1 meet a capsule first, and the place on its axis, 0 to 1."""
    axis = b - a
    length = axis @ axis
    slope, offset = rays @ axis, -(a @ axis)
    square, forward = (rays * rays).sum(-1), -(rays @ a)
    # The infinite cylinder around the axis: a quadratic equation in the depth.
    second = length * square - slope**2
    first = length * forward - offset * slope
    zeroth = length * (a @ a) - offset**2 - r * r * length
    inside = first**2 - second * zeroth
    with np.errstate(divide='ignore', invalid='ignore'):  # rays along the axis, and axes without length
        depth = np.where(inside >= 0, (-first - np.sqrt(np.maximum(inside, 0))) / second, np.inf)
        along = (offset + depth * slope) / length
    between = (along > 0) & (along < 1)  # beyond its ends there are half spheres instead
    caps = np.full(depth.shape, np.inf)
    for end in (a, b):
        middle = -(rays @ end)
        inside = middle**2 - square * (end @ end - r * r)
        cap = (-middle - np.sqrt(np.maximum(inside, 0))) / square
        caps = np.where(inside >= 0, np.minimum(cap, caps), caps)
    depth = np.where(between, depth, caps)
    found = np.isfinite(depth) & (depth > 0)
    depth = np.where(found, depth, np.inf)
    place = offset + np.where(found, depth, 0) * slope
    return depth, np.clip(place / length if length else np.zeros_like(place), 0, 1)
