"""A street: a road that may bend, pavements with kerbs, and the strip between them and the houses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

KERB_HEIGHT = 0.12
_PAVEMENTS = np.array([[0.25, 0.24, 0.22], [0.14, 0.14, 0.15], [0.3, 0.2, 0.15]])
_Distance = TypeVar('_Distance', float, np.ndarray)


@dataclass(frozen=True)
class Street:
    """Course and surfaces of a street; sides are -1 for the left and 1 for the right.

    Args:
        curvature: Inverse radius of the bend in 1/m, positive towards the right.
        half_width: Half the width of the road in metres.
        lanes: Number of lanes in each direction.
        parking: Width of the strips for parked cars on both sides of the road.
        pavements: Widths of the left and right pavement.
        grass: Whether grass lies beyond the left and right pavement; otherwise the pavement goes on.
        crossing: Distance and half the width of a side street, or None.
        colors: Reflectances of road, kerb, pavement and grass, of shape (4, 3).
        style: Numbers in [0, 1) that vary the surfaces, six of them.
    """

    curvature: float
    half_width: float
    lanes: int
    parking: float
    pavements: tuple[float, float]
    grass: tuple[bool, bool]
    crossing: tuple[float, float] | None
    colors: np.ndarray
    style: Sequence[float]

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Street:
        """Draw a street."""
        lanes = int(rng.choice([1, 2], p=[0.75, 0.25]))
        parking = 2.1 * (rng.random() < 0.5)
        crossing = (rng.uniform(18, 60), rng.uniform(3, 5)) if rng.random() < 0.5 else None
        tint = rng.normal(1, 0.05, (4, 3))
        road = np.full(3, rng.uniform(0.05, 0.2))
        pavement = _PAVEMENTS[rng.integers(3)] * rng.uniform(0.7, 1.4)
        grass = np.array([rng.uniform(0.06, 0.2), rng.uniform(0.13, 0.22), 0.04])
        return cls(
            curvature=rng.uniform(-1, 1) / 120 * (rng.random() < 0.5),
            half_width=lanes * rng.uniform(2.9, 3.6) + parking,
            lanes=lanes,
            parking=parking,
            pavements=(rng.uniform(1.6, 4.5), rng.uniform(1.6, 4.5)),
            grass=(rng.random() < 0.5, rng.random() < 0.5),
            crossing=crossing,
            colors=np.stack([road, pavement * rng.uniform(0.8, 1.4), pavement, grass]) * tint,
            style=rng.random(6).tolist(),
        )

    def center(self, z: _Distance) -> _Distance:
        """World x of the middle of the road at world z, a number or numbers of any shape."""
        return self.curvature * z * abs(z) / 2

    def heading(self, z: float) -> float:
        """Yaw of the street at world z."""
        return float(np.arctan(self.curvature * abs(z)))

    def place(self, offset: float, z: float, height: float = 0.0) -> np.ndarray:
        """World point of shape (3,) that is ``offset`` to the right of the middle of the road."""
        yaw = self.heading(z)
        return np.array([self.center(z) + offset * np.cos(yaw), height, z - offset * np.sin(yaw)])

    def kerb_height(self, offset: float) -> float:
        """Height of the ground beside the side street."""
        return KERB_HEIGHT if abs(offset) > self.half_width else 0.0

    def beyond_road(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Distance to the road of points of any shape, negative on it."""
        distance = np.abs(x - self.center(z)) - self.half_width
        if self.crossing is None:
            return distance
        return np.minimum(distance, np.abs(z - self.crossing[0]) - self.crossing[1])

    def in_crossing(self, z: float, margin: float) -> bool:
        """Whether a distance lies in the side street or less than ``margin`` from it."""
        return self.crossing is not None and abs(z - self.crossing[0]) < self.crossing[1] + margin
