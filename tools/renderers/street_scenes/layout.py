"""Place the contents of a scene."""

from __future__ import annotations

import numpy as np

from . import labels, objects
from .solid import Solid
from .street import Street
from .traffic import draw_people, draw_vehicles

# Where the street ends.
_END = 150.0
# Farther objects are drawn without small parts.
_DETAIL = 32.0


def draw_contents(rng: np.random.Generator, street: Street) -> list[Solid]:
    """Place everything on and beside a street at random."""
    solids = _background(rng, street)
    for side in (-1, 1):
        solids += _houses(rng, street, side)
        solids += _trees(rng, street, side)
        solids += _poles(rng, street, side)
        solids += draw_people(rng, street, side)
        if street.parking:
            solids += draw_vehicles(rng, street, side * (street.half_width - 1.05), rng.uniform(0.3, 8), parked=True)
    lane = (street.half_width - street.parking) / street.lanes
    for number in range(street.lanes):
        for side in (-1, 1):
            start = rng.uniform(7, 40) if side == 1 and number == 0 else rng.uniform(3, 45)
            solids += draw_vehicles(rng, street, side * lane * (number + 0.5), start, parked=False)
    return solids


def _background(rng: np.random.Generator, street: Street) -> list[Solid]:
    """Houses, trees and hills at the end of the street and around it."""
    solids = []
    for x in np.arange(-150, 150, 22.0):
        z = _END + rng.uniform(10, 120)
        place = np.array([street.center(_END) + x + rng.uniform(-8, 8), 0, z])
        if rng.random() < 0.6:
            size = rng.uniform((12, 6, 15), (30, 20, 30))
            solids += objects.house(rng, place, rng.uniform(-0.5, 0.5), size, gable=rng.random() < 0.5)
        else:
            solids += objects.tree(rng, place, rng.uniform(8, 20), detailed=False)
    return solids


def _houses(rng: np.random.Generator, street: Street, side: int) -> list[Solid]:
    """A closed row of tall houses, a row of small ones with gardens, or a park."""
    index = (side + 1) // 2
    kind = rng.choice(['row', 'gardens', 'park'], p=[0.1, 0.6, 0.3] if street.grass[index] else [0.85, 0.15, 0])
    edge = street.half_width + street.pavements[index]
    solids = []
    z = rng.uniform(-12, -2)
    while z < _END:
        length = {'row': rng.uniform(8, 26), 'gardens': rng.uniform(8, 14), 'park': rng.uniform(12, 30)}[kind]
        gap = {'row': rng.uniform(3, 9) * (rng.random() < 0.25), 'gardens': rng.uniform(3, 12), 'park': 0}[kind]
        middle, margin = z + length / 2, length / 2 + 3
        z += length + gap
        if street.crossing is not None and street.in_crossing(middle, margin):
            z = max(z, street.crossing[0] + street.crossing[1] + 3)
            continue
        yaw = street.heading(middle)
        setback = {'row': 0.0, 'gardens': rng.uniform(2, 8), 'park': rng.uniform(15, 30)}[kind]
        if kind != 'row':
            label = rng.choice([labels.WALL, labels.FENCE, labels.VEGETATION, 0], p=[0.2, 0.3, 0.25, 0.25])
            if label:
                place = street.place(side * (edge + 0.6), middle, street.kerb_height(edge))
                solids += objects.barrier(rng, place, yaw, length, int(label))
            for _ in range(rng.integers(0, 4)):
                spot = side * (edge + rng.uniform(1.5, max(setback, 2.5)))
                solids += objects.bush(rng, street.place(spot, middle + rng.uniform(-0.5, 0.5) * length, 0.1))
        if kind == 'park' and rng.random() < 0.7:
            continue
        depth = rng.uniform(9, 16)
        height = rng.uniform(8, 24) if kind == 'row' else rng.uniform(3.5, 8)
        place = street.place(side * (edge + setback + depth / 2), middle)
        gable = rng.random() < (0.2 if kind == 'row' else 0.8)
        solids += objects.house(rng, place, yaw, (depth, height, length), gable=gable)
    return solids


def _trees(rng: np.random.Generator, street: Street, side: int) -> list[Solid]:
    """A row along the kerb, and more of them where there is grass."""
    index = (side + 1) // 2
    edge = street.half_width + street.pavements[index]
    height = rng.uniform(4, 10)
    solids = []
    if rng.random() < 0.7:
        spacing = rng.uniform(6, 18)
        for z in np.arange(rng.uniform(7, 18), 100, spacing).tolist():
            if not street.in_crossing(z, 3):
                place = street.place(side * (street.half_width + 0.6), z, street.kerb_height(edge))
                solids += objects.tree(rng, place, height * rng.uniform(0.8, 1.2), detailed=z < _DETAIL)
    if street.grass[index]:
        for _ in range(rng.integers(4, 12)):
            z = rng.uniform(10, 120)
            if not street.in_crossing(z, 3):
                place = street.place(side * (edge + rng.uniform(1.5, 14)), z)
                solids += objects.tree(rng, place, rng.uniform(3, 12), detailed=z < _DETAIL)
    return solids


def _poles(rng: np.random.Generator, street: Street, side: int) -> list[Solid]:
    """Lamps in equal distances, a few signs, and traffic lights before a side street."""
    offset = side * (street.half_width + 0.35)
    tops = [(z, 'lamp') for z in np.arange(rng.uniform(6, 25), 90, rng.uniform(18, 35))]
    tops += [(z, 'sign') for z in rng.uniform(9, 50, rng.integers(0, 4))]
    if street.crossing is not None and rng.random() < 0.6:
        tops.append((street.crossing[0] - street.crossing[1] - 3.5, 'signal'))
    solids = []
    for z, top in tops:
        if not street.in_crossing(z, 1):
            yaw = street.heading(z) + (np.pi if side < 0 and top == 'lamp' else 0)
            solids += objects.pole(rng, street.place(offset, z, street.kerb_height(offset)), yaw, top)
    return solids
