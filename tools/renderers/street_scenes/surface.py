"""Samples on the surfaces of solids, and how materials colour them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .light import Light


@dataclass
class Surface:
    """Samples of solids of one material.

    Args:
        point: Own coordinates of shape (3, N).
        side: Sides of the solids, of shape (N,).
        index: Numbers of the solids, of shape (N,).
        tables: The attributes lower, upper and color, each of shape (3, S), and style, of shape (6, S), of all solids.
        noise: Tile of shape (M, M), M a power of two, of values in [0, 1].
        light: Light of the scene.
    """

    point: np.ndarray
    side: np.ndarray
    index: np.ndarray
    tables: dict[str, np.ndarray]
    noise: np.ndarray
    light: Light

    def lower(self, axis: int) -> np.ndarray:
        """Smallest own coordinates of shape (N,) of the solids along an axis."""
        return self.tables['lower'][axis, self.index]

    def upper(self, axis: int) -> np.ndarray:
        """Largest own coordinates of shape (N,) of the solids along an axis."""
        return self.tables['upper'][axis, self.index]

    def style(self, number: int) -> np.ndarray:
        """One of the numbers, of shape (N,), that vary the solids."""
        return self.tables['style'][number, self.index]

    def base(self) -> np.ndarray:
        """Colours of shape (3, N) of the solids."""
        return self.tables['color'][:, self.index]

    def relative(self, axis: int) -> np.ndarray:
        """Own coordinates of shape (N,), -1 and 1 at the ends of the solids."""
        lower, upper = self.lower(axis), self.upper(axis)
        return (2 * self.point[axis] - lower - upper) / (upper - lower)

    def height(self) -> np.ndarray:
        """Heights of shape (N,) as shares of those of the solids."""
        return (self.relative(1) + 1) / 2

    def pattern(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Noise of shape (N,) at coordinates of shape (N,), different for solids of different style."""
        size = len(self.noise)
        rows = (a + 991 * self.style(0)).astype(np.int32) & size - 1
        return self.noise[rows, (b + 997 * self.style(1)).astype(np.int32) & size - 1]


def paint(color: np.ndarray, where: np.ndarray, paint: np.ndarray | tuple[float, float, float]) -> None:
    """Set the samples ``where`` of colours of shape (3, N)."""
    where = np.flatnonzero(where)
    paint = np.asarray(paint)
    color[:, where] = paint[:, where] if paint.ndim == 2 else paint[:, None]


def scale(color: np.ndarray, where: np.ndarray, factor: float) -> None:
    """Multiply the samples ``where`` of colours of shape (3, N)."""
    color[:, np.flatnonzero(where)] *= factor


def glass(surface: Surface, chance: np.ndarray) -> np.ndarray:
    """Colours of shape (3, N) of window panes: dark, mirroring the sky, or with a light behind them."""
    mirror = (0.06 + 0.3 * chance**2) * surface.light.zenith[:, None]
    lit = np.array([[1.0], [0.75], [0.4]]) * (0.5 + chance)
    return np.where(chance < surface.light.lit, lit, mirror + 0.02)
