"""The solids of a scene, and their intersection with rays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

# A point, a colour or the like: some numbers.
Numbers = Sequence[float] | np.ndarray
# Outward normals of a box, in the order of its sides.
_BOX = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], dtype=float)
RIGHT, LEFT, TOP, BOTTOM, FRONT, BACK, CUT = range(7)


@dataclass
class Solid:
    """A box, a box with corners cut off, or an ellipsoid, turned about the vertical axis.

    Its own axes are x to its right, y up, z to its front.

    Args:
        label: CityScapes id.
        material: Name of a function of the module ``materials``.
        color: Reflectance, linear RGB.
        origin: Place in the world of the origin of its own axes, of shape (3,).
        yaw: Angle from the world's z axis to its own one, towards the right.
        lower: Smallest own coordinates of the box, or of the box around the ellipsoid.
        upper: Largest ones.
        cuts: Half-spaces ``normal . point <= offset`` to intersect the box with, rows (normal, offset).
        round: Whether it is an ellipsoid.
        rough: Share of the radii by which the surface of an ellipsoid goes in and out.
        style: Numbers in [0, 1) that vary its material, of shape (6,).
        shadow: Whether it throws a shadow on the ground.
    """

    label: int
    material: str
    color: Numbers
    origin: Numbers
    yaw: float
    lower: Numbers
    upper: Numbers
    cuts: np.ndarray = field(default_factory=lambda: np.zeros((0, 4)))
    round: bool = False
    rough: float = 0.0
    style: np.ndarray = field(default_factory=lambda: np.zeros(6))
    shadow: bool = False

    @cached_property
    def rotation(self) -> np.ndarray:
        """Matrix of shape (3, 3) that takes own axes to world axes."""
        sin, cos = np.sin(self.yaw), np.cos(self.yaw)
        return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])

    @cached_property
    def planes(self) -> tuple[np.ndarray, np.ndarray]:
        """Own outward normals of shape (P, 3) and offsets of shape (P,) of all sides."""
        (left, low, back), (right, high, front) = self.lower, self.upper
        offsets = np.array([right, -left, high, -low, front, -back])
        if not len(self.cuts):
            return _BOX, offsets
        return np.concatenate([_BOX, self.cuts[:, :3]]), np.concatenate([offsets, self.cuts[:, 3]])

    def intersect(
        self, eye: np.ndarray, rays: np.ndarray, limit: np.ndarray, dent: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Find the rays that enter the solid.

        Args:
            eye: Start of the rays, of shape (3,).
            rays: Directions of shape (3, N).
            limit: Depths of shape (N,) from which on a ray does not count.
            dent: How far inside the ellipsoid the rough surface is, as share of the radii, of shape (N,).

        Returns:
            Numbers of the rays, their depths, and the sides they enter, each of shape (M,).
        """
        own_eye = (eye - np.asarray(self.origin)) @ self.rotation
        if self.round:
            return self._intersect_ellipsoid(own_eye, rays, limit, dent)
        normals, offsets = self.planes
        away = (normals @ own_eye - offsets).astype(np.float32)
        normals = (normals @ self.rotation.T).astype(np.float32)
        # Only sides that face the eye can be entered, and only the others left.
        facing, others = np.flatnonzero(away > 0), np.flatnonzero(away <= 0)
        with np.errstate(divide='ignore', invalid='ignore'):
            slopes = normals[facing] @ rays
            depths = np.where(slopes < 0, away[facing, None] / -slopes, np.inf)
            depth = depths.max(0, initial=0)
            chosen = np.flatnonzero(depth < limit)
            depth = depth[chosen]
            slopes = normals[others] @ rays[:, chosen]
            leave = np.where(slopes > 0, away[others, None] / -slopes, np.inf).min(0)
        inside = np.flatnonzero(depth < leave)
        chosen = chosen[inside]
        return chosen, depth[inside], facing[depths[:, chosen].argmax(0)]

    def _intersect_ellipsoid(
        self, own_eye: np.ndarray, rays: np.ndarray, limit: np.ndarray, dent: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        lower, upper = np.asarray(self.lower), np.asarray(self.upper)
        radii = (upper - lower) / 2
        start = ((own_eye - (upper + lower) / 2) / radii).astype(np.float32)
        rays = (self.rotation.T / radii[:, None]).astype(np.float32) @ rays
        size = 1 if dent is None else (1 - dent) ** 2
        square, half = (rays * rays).sum(0), start @ rays
        root = half * half - square * (start @ start - size)
        depth = (-half - np.sqrt(np.maximum(root, 0))) / square
        chosen = np.flatnonzero((root > 0) & (depth > 0) & (depth < limit))
        return chosen, depth[chosen], np.zeros(len(chosen), np.int8)


def slopes(bottom: Numbers, top: Numbers, low: float, high: float) -> np.ndarray:
    """Half-spaces of shape (4, 4) of a box that narrows upwards.

    Args:
        bottom: Front, rear, right and left end at height ``low``, distances from the own axis.
        top: The same at height ``high``.
        low: Lower height.
        high: Upper height.
    """
    rows = []
    for (x, z), below, above in zip([(0, 1), (0, -1), (1, 0), (-1, 0)], bottom, top, strict=True):
        scale = 1 / math.hypot(high - low, below - above)
        out, up = scale * (high - low), scale * (below - above)
        rows.append((x * out, up, z * out, below * out + low * up))
    return np.array(rows)
