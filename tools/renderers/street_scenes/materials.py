"""Materials of all surfaces except vehicles, and the names of all materials."""

from __future__ import annotations

import numpy as np

from .solid import CUT, TOP
from .surface import Surface, glass, paint, scale
from .vehicle_materials import car_body, car_cabin, long_vehicle, wheel

_RED, _AMBER, _GREEN = (0.9, 0.03, 0.02), (0.95, 0.45, 0.03), (0.05, 0.75, 0.3)
_SIGNS = np.array([(0.02, 0.1, 0.6), (0.85, 0.85, 0.85), (0.85, 0.6, 0.03), (0.7, 0.03, 0.03)], dtype=np.float32)


def plain(surface: Surface) -> np.ndarray:
    """One colour, a little uneven."""
    return surface.base() * (
        0.85 + 0.3 * surface.pattern(surface.point[1] * 9, (surface.point[0] + surface.point[2]) * 9)
    )


def leaves(surface: Surface) -> np.ndarray:
    """Dark and light spots; darker below."""
    x, y, z = surface.point * 7
    height = surface.height()
    spots = surface.pattern(x + 0.6 * y, z + 0.8 * y)
    return surface.base() * (0.25 + 1.3 * spots**1.5) * (0.55 + 0.6 * height)


def facade(surface: Surface) -> np.ndarray:
    """Rows of windows, a ground floor that may be a shop, a cornice, and a roof on top."""
    x, y, z = surface.point
    s = surface.tables['style'][:, surface.index]
    along = np.where(surface.side < TOP, z, x)
    top = surface.upper(1)
    color = surface.base() * (0.85 + 0.25 * surface.pattern(along * 3, y * 3))
    ground = 3.2 + s[2]
    storey, column = 2.8 + s[3], 1.7 + 2.2 * s[4]
    floor, bay = np.floor((y - ground) / storey), np.floor(along / column)
    v, u = (y - ground) / storey - floor, along / column - bay
    tall, wide = 0.4 + 0.3 * s[0], 0.4 + 0.35 * s[1]
    chance = surface.pattern(bay * 37, floor * 53)
    panes = glass(surface, chance)
    above = (y > ground) & (y < top - 0.7)
    frame = above & (np.abs(v - 0.5) < tall / 2 + 0.05) & (np.abs(u - 0.5) < wide / 2 + 0.05)
    paint(color, frame, np.where(s[5] < 0.5, 0.7, 0.5) * np.ones_like(color))
    paint(color, above & (np.abs(v - 0.5) < tall / 2) & (np.abs(u - 0.5) < wide / 2), panes)
    scale(color, above & (v < 0.05) & (s[5] > 0.6), 0.7)
    shop, base = s[5] * 3 % 1 < 0.45, (y < ground)
    scale(color, base & ~shop, 0.7)
    paint(color, base & ~shop & (np.abs(y - 1.7) < 0.7) & (np.abs(u - 0.5) < wide / 2), panes)
    scale(color, base & ~shop & (y < 2.3) & (bay % 4 == 1) & (np.abs(u - 0.5) < 0.25), 0.4)
    paint(color, base & shop & (y > 0.5) & (y < 2.6) & (u > 0.12), panes)
    awning = np.stack([s[0], s[3], s[4]]) ** 2 * 0.8
    paint(color, base & shop & (y > 2.6) & (y < 3.1), awning)
    scale(color, (y > top - 0.7) & (y > ground), 1.25)
    roof = (surface.side >= CUT) | (surface.side == TOP) | ((s[2] > 0.55) & (y > top - 2.2))
    tiles = np.array([0.22, 0.09, 0.06])[:, None] * (s[3] < 0.6) + np.array([0.09, 0.09, 0.1])[:, None] * (s[3] >= 0.6)
    paint(color, roof, tiles * (0.7 + 0.5 * surface.pattern(along * 4, y * 12)))
    return color


def boards(surface: Surface) -> np.ndarray:
    """Slats or courses of a fence or wall."""
    x, y, z = surface.point
    along = x + z
    upright = surface.style(0) < 0.6
    gap = np.where(upright, along % 0.3 < 0.1, y % 0.35 < 0.08)
    return plain(surface) * np.where(gap, 0.45, 1)


def sign(surface: Surface) -> np.ndarray:
    """The plate of a traffic sign: a field inside a border, grey at the back."""
    across = np.abs(surface.relative(0))
    edge = np.maximum(across, np.abs(surface.relative(1)))
    kind = (surface.style(0) * 4).astype(int)
    color = _SIGNS[kind].T.copy()
    paint(color, edge < 0.62, _SIGNS[(kind + 1 + 2 * (surface.style(1) < 0.5)) % 4].T)
    paint(color, (across < 0.2) & (edge < 0.5), (0.05, 0.05, 0.05))
    return color


def signal(surface: Surface) -> np.ndarray:
    """A traffic light: three lamps, one of them on."""
    third = np.clip(surface.height() * 3, 0, 2.99)
    on = np.floor(third) == np.floor(surface.style(0) * 3)
    radius = np.hypot(third % 1 - 0.5, surface.relative(0) / 2)
    color = np.full_like(surface.point, 0.025)
    lamps = np.array([_GREEN, _AMBER, _RED])[third.astype(int)].T
    paint(color, radius < 0.38, lamps * np.where(on, 2.5, 0.06))
    return color


MATERIALS = {
    function.__name__: function
    for function in (plain, leaves, facade, car_body, car_cabin, long_vehicle, wheel, boards, sign, signal)
}
