"""Time of day and weather: direction of the light, and the sky."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Light:
    """Light of a scene, in linear RGB.

    Args:
        direction: Unit vector of shape (3,) towards the sun.
        sun: Colour and strength of direct light, of shape (3,).
        zenith: Colour of the sky above, of shape (3,).
        horizon: Colour of the sky at the horizon, of shape (3,).
        clouds: Share of the sky that clouds cover.
        haze: Share of the light that one metre of air scatters.
        lit: Share of the windows with light behind them.
        exposure: What the camera multiplies light by.
    """

    direction: np.ndarray
    sun: np.ndarray
    zenith: np.ndarray
    horizon: np.ndarray
    clouds: float
    haze: float
    lit: float
    exposure: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Light:
        """Draw a sunny or overcast day, a low sun, or dusk."""
        weather = rng.choice(['sunny', 'overcast', 'low sun', 'dusk'], p=[0.45, 0.3, 0.15, 0.1])
        elevation = np.deg2rad(rng.uniform(8, 18) if weather == 'low sun' else rng.uniform(22, 60))
        azimuth = rng.uniform(-np.pi, np.pi)
        flat = np.cos(elevation)
        direction = np.array([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)])
        gray = np.ones(3) * rng.uniform(0.6, 0.95)
        blue = np.array([0.16, 0.34, 0.75]) * rng.uniform(0.7, 1.2)
        pale = np.array([0.62, 0.75, 0.92]) * rng.uniform(0.85, 1.1)
        warm = np.array([1.0, 0.66, 0.38])
        sun, zenith, horizon, clouds, lit = {
            'sunny': (np.array([1.0, 0.94, 0.84]) * 2.0, blue, pale, rng.uniform(0, 0.6), 0.0),
            'overcast': (np.ones(3) * 0.12, gray, gray * rng.uniform(0.85, 1.15), rng.uniform(0.5, 1), 0.05),
            'low sun': (warm * 1.5, blue * 0.8, pale * warm * 1.1, rng.uniform(0, 0.6), 0.1),
            'dusk': (np.zeros(3), blue * 0.35, np.array([0.4, 0.33, 0.42]), rng.uniform(0, 0.8), 0.4),
        }[weather]
        exposure = rng.uniform(0.75, 1.2) * (2.2 if weather == 'dusk' else 1)
        return cls(
            direction=direction.astype(np.float32),
            sun=sun.astype(np.float32),
            zenith=zenith.astype(np.float32),
            horizon=horizon.astype(np.float32),
            clouds=clouds,
            haze=float(rng.choice([0, 0.001, 0.004])),
            lit=lit,
            exposure=exposure,
        )

    def sky(self, rays: np.ndarray, noise: np.ndarray) -> np.ndarray:
        """Colours of shape (3, N) of the sky along rays of shape (3, N)."""
        rays = rays / np.sqrt((rays * rays).sum(0))
        up = np.maximum(rays[1], 0.02)
        blend = np.sqrt(np.minimum(up, 1))
        color = self.horizon[:, None] + (self.zenith - self.horizon)[:, None] * np.minimum(1.6 * blend, 1)
        rows, columns = (np.floor(rays[[0, 2]] / (up + 0.08) * 24)).astype(int) % len(noise)
        cover = np.clip((noise[rows, columns] - 1 + self.clouds) * 3, 0, 1)
        cloud = 0.75 * self.horizon[:, None] + 0.25 * (self.sun.max() + 0.4)
        glow = np.maximum(self.direction @ rays, 0) ** 60 * 0.8
        return color + (cloud - color) * cover + self.sun[:, None] * glow

    def reflect(self, color: np.ndarray, normals: np.ndarray, sunlit: np.ndarray) -> np.ndarray:
        """Light that surfaces send to the eye.

        Args:
            color: Reflectances of shape (3, N).
            normals: Unit normals of shape (3, N).
            sunlit: Share of the sun's light that arrives, of shape (N,).

        Returns:
            Colours of shape (3, N).
        """
        ambient = 0.7 * (0.6 * self.horizon + 0.4 * self.zenith)
        direct = np.maximum(self.direction @ normals, 0) * sunlit
        return color * (ambient[:, None] * (0.75 + 0.25 * normals[1]) + self.sun[:, None] * direct)
