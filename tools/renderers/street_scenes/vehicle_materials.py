"""Colours of vehicles."""

from __future__ import annotations

import numpy as np

from .solid import BACK, BOTTOM, CUT, FRONT, TOP
from .surface import Surface, glass, paint, scale

_TAIL_LIGHT, _HEAD_LIGHT = (0.9, 0.03, 0.02), (0.9, 0.85, 0.7)


def car_body(surface: Surface) -> np.ndarray:
    """Paint with lights, plates, bumpers and door lines."""
    z, height = surface.point[2], surface.height()
    across = np.abs(surface.relative(0))
    color = surface.base() * (0.8 + 0.25 * height)
    rear, front = surface.side == BACK, surface.side == FRONT
    scale(color, height < 0.22, 0.3)
    paint(color, (rear | front) & (height < 0.4), (0.05, 0.05, 0.055))
    paint(color, rear & (across > 0.68) & (np.abs(height - 0.72) < 0.2), _TAIL_LIGHT)
    paint(color, front & (across > 0.62) & (np.abs(height - 0.7) < 0.17), _HEAD_LIGHT)
    paint(color, front & (across < 0.55) & (np.abs(height - 0.6) < 0.15), (0.03, 0.03, 0.03))
    paint(color, (rear | front) & (across < 0.3) & (np.abs(height - 0.45) < 0.09), (0.7, 0.7, 0.68))
    sides = surface.side < TOP
    scale(color, sides & ((np.abs(z - 0.2) < 0.025) | (np.abs(z + 0.9) < 0.025)), 0.4)
    paint(color, surface.side == BOTTOM, (0.02, 0.02, 0.02))
    return color


def car_cabin(surface: Surface) -> np.ndarray:
    """Windows between painted pillars, under a painted roof."""
    height = surface.height()
    chance = surface.pattern(surface.point[0] * 2, surface.point[1] * 3)
    color = glass(surface, np.maximum(chance, 0.5)) * (0.5 + height)
    sides = (surface.side == CUT + 2) | (surface.side == CUT + 3)
    pillar = sides & (np.abs(surface.point[2] + 0.35) < 0.06)
    paint(color, (surface.side == TOP) | (height > 0.88) | pillar, surface.base())
    return color


def long_vehicle(surface: Surface) -> np.ndarray:
    """Side of a bus, a van or a lorry: a band of windows (bus) or plain walls, lights and a windscreen."""
    z, height = surface.point[2], surface.height()
    across = np.abs(surface.relative(0))
    color = surface.base() * (0.85 + 0.15 * height)
    panes = glass(surface, surface.pattern(z, z) * 0.5 + 0.5)
    bus = surface.style(5) < 0.5
    sides, rear, front = surface.side < TOP, surface.side == BACK, surface.side == FRONT
    paint(color, bus & sides & (height > 0.45) & (height < 0.82) & (z % 1.6 > 0.15), panes)
    paint(color, bus & rear & (height > 0.55) & (height < 0.85) & (across < 0.85), panes)
    paint(color, front & (height > 0.42) & (height < 0.8) & (across < 0.92), panes)
    paint(color, bus & (rear | front) & (height > 0.87) & (across < 0.6), (0.05, 0.05, 0.05))
    scale(color, ~bus & rear & (across < 0.02), 0.4)
    paint(
        color,
        ~bus & sides & (np.abs(height - 0.6) < 0.1 * surface.style(4)),
        0.8 * np.stack([surface.style(number) for number in range(3)]),
    )
    paint(color, rear & (across > 0.75) & (height < 0.25), _TAIL_LIGHT)
    paint(color, front & (across > 0.65) & (np.abs(height - 0.2) < 0.06), _HEAD_LIGHT)
    paint(color, (height < 0.1), (0.04, 0.04, 0.04))
    return color


def wheel(surface: Surface) -> np.ndarray:
    """A tyre around a bright rim."""
    color = np.full_like(surface.point, 0.018)
    paint(color, surface.relative(1) ** 2 + surface.relative(2) ** 2 < 0.36, (0.25, 0.25, 0.27))
    return color
