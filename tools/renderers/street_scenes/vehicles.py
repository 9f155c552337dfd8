"""Vehicles, built of solids."""

from __future__ import annotations

from typing import Any

import numpy as np

from .labels import BUS, CAR, TRUCK
from .solid import Numbers, Solid, slopes

_CAR_PAINTS = np.array(
    [[0.7, 0.7, 0.7], [0.3, 0.31, 0.33], [0.02, 0.02, 0.025], [0.08, 0.09, 0.1], [0.45, 0.02, 0.02]]
    + [[0.02, 0.05, 0.25], [0.03, 0.12, 0.06], [0.5, 0.42, 0.28], [0.02, 0.2, 0.35], [0.6, 0.35, 0.02]]
)


def _wheels(place: Numbers, yaw: float, width: float, ends: Numbers, radius: float, label: int) -> list[Solid]:
    return [
        Solid(
            label,
            'wheel',
            (0, 0, 0),
            place,
            yaw,
            (side * width / 2 - 0.13, 0, end - radius),
            (side * width / 2 + 0.05 * side + 0.08, 2 * radius, end + radius),
            round=True,
        )
        for side in (-1, 1)
        for end in ends
    ]


def car(rng: np.random.Generator, place: Numbers, yaw: float, *, detailed: bool) -> list[Solid]:
    """A car that points along ``yaw``: a saloon, a hatchback, a tall one or a van; ``detailed`` for wheels."""
    kind = int(np.searchsorted([0.35, 0.7, 0.9], rng.random()))
    length = rng.uniform(*[(4.3, 4.9), (3.6, 4.2), (4.2, 4.7), (4.6, 5.3)][kind])
    width = rng.uniform(1.68, 1.88)
    belt = [0.88, 0.9, 1.05, 1.1][kind] + rng.uniform(-0.04, 0.04)
    top = [1.42, 1.48, 1.7, 1.95][kind] + rng.uniform(-0.05, 0.05)
    front, rear = [(0.22, 0.33), (0.2, 0.46), (0.24, 0.47), (0.3, 0.49)][kind]
    rake = [(0.13, 0.12), (0.13, 0.06), (0.12, 0.05), (0.1, 0.01)][kind]
    # Two of three cars have one of the first four paints, which are grey.
    paint = _CAR_PAINTS[rng.integers(4 if rng.random() < 0.65 else len(_CAR_PAINTS))] * rng.uniform(0.8, 1.2)
    style = rng.random(6)
    half = width / 2
    body = Solid(
        CAR,
        'car_body',
        paint,
        place,
        yaw,
        (-half, 0.2, -length / 2),
        (half, belt, length / 2),
        cuts=slopes((length / 2 + 0.25, length / 2 + 0.1, half + 0.1, half + 0.1),
                     (length / 2 - 0.12, length / 2 - 0.06, half - 0.03, half - 0.03), 0.2, belt),
        style=style,
        shadow=True,
    )  # fmt: skip
    ends = np.array([front * length, rear * length, half - 0.04, half - 0.04])
    roof = ends - [rake[0] * length, rake[1] * length, 0.16, 0.16]
    cabin = Solid(
        CAR,
        'car_cabin',
        paint,
        place,
        yaw,
        (-half, belt, -ends[1]),
        (half, top, ends[0]),
        cuts=slopes(ends, roof, belt, top),
        style=style,
        shadow=True,
    )
    wheels = _wheels(place, yaw, width, (0.31 * length, -0.3 * length), rng.uniform(0.3, 0.36), CAR)
    return [body, cabin, *(wheels if detailed else [])]


def long_vehicle(rng: np.random.Generator, place: Numbers, yaw: float, label: int) -> list[Solid]:
    """A bus, or a lorry with a cab in front of a box."""
    style = rng.random(6)
    style[5] = 0 if label == BUS else 0.9
    length, height = (rng.uniform(9, 12), rng.uniform(2.9, 3.2)) if label == BUS else (6, rng.uniform(2.7, 3.5))
    color, cab = rng.uniform(0.05, 0.8, (2, 3)) * rng.uniform(0.4, 1, (2, 1))
    common: dict[str, Any] = dict(style=style, shadow=True)
    ends = (length * 0.33, -length * 0.3)
    solids = [
        Solid(
            label, 'long_vehicle', color, place, yaw, (-1.22, 0.35, -length / 2), (1.22, height, length / 2), **common
        )
    ]
    if label == TRUCK:
        lower, upper = (-1.1, 0.35, length / 2 + 0.1), (1.1, 2.5, length / 2 + 1.8)
        solids.append(Solid(label, 'long_vehicle', cab, place, yaw, lower, upper, **common))
        ends = (length / 2 + 0.9, -length * 0.3)
    return solids + _wheels(place, yaw, 2.3, ends, 0.48, label)
