"""Place people and vehicles on a street."""

from __future__ import annotations

import numpy as np

from . import labels, objects, vehicles
from .solid import Solid
from .street import Street

# Farther objects are drawn without small parts.
_DETAIL = 32.0


def draw_people(rng: np.random.Generator, street: Street, side: int) -> list[Solid]:
    """People on the pavement, some of them near; sometimes one who crosses the road, or a cyclist."""
    width = street.pavements[(side + 1) // 2]
    solids = []
    near = rng.uniform(9, 22, rng.integers(1, 3))
    for z in [*near, *rng.uniform(14, 60, rng.integers(0, 5))]:
        offset = side * (street.half_width + rng.uniform(0.3, width - 0.2))
        yaw = street.heading(z) + np.pi * rng.integers(2) + rng.normal(0, 0.3)
        if not street.in_crossing(z, 0.5):
            place = street.place(offset, z, street.kerb_height(offset))
            solids += objects.person(rng, place, yaw, detailed=z < _DETAIL)
    if rng.random() < 0.25:
        z = rng.uniform(10, 40)
        if street.crossing is not None:
            z = street.crossing[0] - street.crossing[1] - rng.uniform(1.5, 3.5)
        place = street.place(side * rng.uniform(0.2, street.half_width), z)
        solids += objects.person(rng, place, rng.choice([-1, 1]) * np.pi / 2, detailed=z < _DETAIL)
    elif rng.random() < 0.3:
        z = rng.uniform(8, 35)
        place = street.place(side * (street.half_width - street.parking - 0.5), z)
        solids += objects.cyclist(rng, place, street.heading(z) + (0 if side == 1 else np.pi))
    return solids


def draw_vehicles(
    rng: np.random.Generator, street: Street, offset: float, start: float, *, parked: bool
) -> list[Solid]:
    """A row of vehicles in a lane or a strip; those on the left come towards the camera."""
    solids, z, spacing = [], start, rng.uniform(1, 12)
    while z < (60 if parked else 110):
        label = labels.CAR if parked or rng.random() < 0.86 else (labels.TRUCK, labels.BUS)[rng.integers(2)]
        length = {labels.CAR: 4.8, labels.TRUCK: 8.5, labels.BUS: 11}[label]
        middle = z + length / 2
        z += length + (rng.exponential(spacing) + 0.6 if parked else rng.uniform(5, 50))
        if street.in_crossing(middle, length / 2 + (5 if parked else 4.5)):
            continue
        turned = rng.random() < 0.15 if parked else False
        yaw = street.heading(middle) + (np.pi if (offset < 0) ^ turned else 0) + rng.normal(0, 0.02)
        place = street.place(offset + rng.normal(0, 0.1), middle)
        if label == labels.CAR:
            solids += vehicles.car(rng, place, yaw, detailed=middle < _DETAIL)
        else:
            solids += vehicles.long_vehicle(rng, place, yaw, label)
    return solids
