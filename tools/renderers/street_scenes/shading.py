"""Shade the contents of a depth buffer."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from . import labels
from .depth_buffer import DepthBuffer
from .ground import color_ground
from .light import Light
from .materials import MATERIALS
from .solid import Solid
from .street import Street
from .surface import Surface

_CENTERS = slice(1, None, 2)
_SHADOW_RANGE = 60.0
_UP = np.array([0.0, 1.0, 0.0], dtype=np.float32)


def shade(buffer: DepthBuffer, street: Street, solids: Sequence[Solid], light: Light, noise: np.ndarray) -> np.ndarray:
    """Linear RGB of shape (3, 2 * H + 1, 2 * W + 1) along all rays of a buffer."""
    depth, rays, colors = buffer.depth.ravel(), buffer.rays.reshape(3, -1), np.empty_like(buffer.rays)
    flat = colors.reshape(3, -1)
    is_sky = np.isinf(depth)
    sky, ground = np.flatnonzero(is_sky), np.flatnonzero((buffer.solid.ravel() < 0) & ~is_sky)
    flat[:, sky] = light.sky(rays[:, sky], noise)
    x, _, z = buffer.eye[:, None] + depth[ground] * rays[:, ground]
    color = color_ground(street, buffer.side.ravel()[ground], x, z, noise)
    up = np.broadcast_to(_UP[:, None], color.shape)
    direct, ambient = (share.ravel()[ground] for share in _shadows(buffer, solids, light))
    flat[:, ground] = light.reflect(color, up, direct) * ambient
    _color_solids(flat, buffer, solids, light, noise)
    if light.haze:
        veil = np.where(is_sky, 0, 1 - np.exp(-light.haze * depth))
        flat += (light.horizon[:, None] - flat) * veil
    return colors


def _color_solids(
    colors: np.ndarray, buffer: DepthBuffer, solids: Sequence[Solid], light: Light, noise: np.ndarray
) -> None:
    """Enter the light that comes from solids into ``colors`` of shape (3, N), material by material."""
    places = np.flatnonzero(buffer.solid >= 0)
    # Only solids that are seen get a place in the tables.
    drawn = buffer.solid.ravel()[places]
    seen = np.flatnonzero(np.bincount(drawn, minlength=len(solids)))
    numbers = np.searchsorted(seen, np.arange(len(solids)))[drawn]
    solids = [solids[number] for number in seen.tolist()]
    tables = {
        name: np.array([getattr(solid, name) for solid in solids], np.float32).T
        for name in ('origin', 'lower', 'upper', 'color', 'style')
    }
    yaw = np.array([solid.yaw for solid in solids], np.float32)
    normals = np.zeros((3, len(solids), max((len(solid.planes[0]) for solid in solids), default=0)), np.float32)
    for number, solid in enumerate(solids):
        normals[:, number, : len(solid.planes[0])] = solid.planes[0].T
    is_round = np.array([solid.round for solid in solids])
    materials = np.array([solid.material for solid in solids])
    depth, side, rays = buffer.depth.ravel()[places], buffer.side.ravel()[places], buffer.rays.reshape(3, -1)
    for name in sorted({solid.material for solid in solids}):
        chosen = np.flatnonzero((materials == name)[numbers])
        index, angle, place = numbers[chosen], yaw[numbers[chosen]], places[chosen]
        world = buffer.eye[:, None] + depth[chosen] * rays[:, place] - tables['origin'][:, index]
        surface = Surface(_turned(world, -angle), side[chosen], index, tables, noise, light)
        color = MATERIALS[name](surface)
        own = normals[:, index, surface.side]
        curved = np.flatnonzero(is_round[index])
        if len(curved):
            first, last = (tables[bound][:, index[curved]] for bound in ('lower', 'upper'))
            normal = (surface.point[:, curved] - (first + last) / 2) / (last - first) ** 2
            own[:, curved] = normal / np.sqrt((normal * normal).sum(0))
        colors[:, place] = light.reflect(color, _turned(own, angle), np.ones(1, np.float32))


def _turned(vectors: np.ndarray, yaw: np.ndarray) -> np.ndarray:
    """Vectors of shape (3, N), each turned to the right by an angle of shape (N,)."""
    sin, cos = np.sin(yaw), np.cos(yaw)
    x, y, z = vectors
    return np.stack([cos * x + sin * z, y, cos * z - sin * x])


def _shadows(buffer: DepthBuffer, solids: Sequence[Solid], light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the sun's and of the sky's light, each of shape (2 * H + 1, 2 * W + 1), that reach the ground."""
    # Shadows have soft edges: one value per pixel is enough.
    rays, depth = buffer.rays[:, _CENTERS, _CENTERS], buffer.depth[_CENTERS, _CENTERS]
    ground = (buffer.solid[_CENTERS, _CENTERS] < 0) & (depth < _SHADOW_RANGE)
    x, _, z = buffer.eye[:, None] + depth[ground] * rays[:, ground]
    casters = [solid for solid in solids if solid.shadow and solid.origin[2] < _SHADOW_RANGE]
    low = [solid for solid in casters if solid.lower[1] < 0.5 and solid.label != labels.BUILDING]
    shares = []
    for toward, strength, chosen in ((light.direction, 1.0, casters), (_UP, 0.55, low)):
        share = np.ones(depth.shape, np.float32)
        share[ground] = 1 - strength * _shaded(chosen, x, z, toward)
        shares.append(_between(_between(share).T).T)
    return shares[0], shares[1]


def _between(values: np.ndarray) -> np.ndarray:
    """Put means between N rows and repeat the outer ones: from shape (N, M) to (2 * N + 1, M)."""
    padded = np.pad(values, ((1, 1), (0, 0)), mode='edge')
    result = np.repeat(padded, 2, axis=0)[1:-2]
    result[::2] = (padded[1:] + padded[:-1]) / 2
    return result


def _shaded(casters: Sequence[Solid], x: np.ndarray, z: np.ndarray, toward: np.ndarray) -> np.ndarray:
    """Whether ground points of shape (N,) are hidden from a light by the boxes around solids."""
    shaded = np.zeros(x.shape, bool)
    reach_x, _, reach_z = (toward / toward[1]).tolist()
    for solid in casters:
        lower, upper = np.asarray(solid.lower).tolist(), np.asarray(solid.upper).tolist()
        sin, cos = math.sin(solid.yaw), math.cos(solid.yaw)
        dx, dz = x - np.float32(solid.origin[0]), z - np.float32(solid.origin[2])
        # Heights at which the way to the light is inside the box: along each own axis, then along all of them.
        enter, leave = np.float32(lower[1]), np.float32(upper[1])
        for axis, start, slope in (
            (0, cos * dx - sin * dz, cos * reach_x - sin * reach_z),
            (2, sin * dx + cos * dz, sin * reach_x + cos * reach_z),
        ):
            ends = sorted([lower[axis] / (slope or 1e-6), upper[axis] / (slope or 1e-6)])
            start *= 1 / (slope or 1e-6)
            enter, leave = np.maximum(enter, ends[0] - start), np.minimum(leave, ends[1] - start)
        shaded |= enter < leave
    return shaded
