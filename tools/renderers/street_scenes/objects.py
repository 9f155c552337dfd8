"""People, trees, houses and poles, built of solids."""

from __future__ import annotations

from typing import Any

import numpy as np

from .labels import BICYCLE, BUILDING, FENCE, LIGHT, PERSON, POLE, RIDER, SIGN, VEGETATION, WALL
from .solid import Numbers, Solid, slopes

_SKINS = np.array([[0.62, 0.4, 0.29], [0.45, 0.26, 0.16], [0.2, 0.1, 0.06]])
_FACADES = np.array(
    [[0.55, 0.48, 0.36], [0.62, 0.6, 0.56], [0.36, 0.15, 0.1], [0.3, 0.3, 0.32], [0.5, 0.36, 0.22]]
    + [[0.6, 0.52, 0.3], [0.42, 0.5, 0.52], [0.5, 0.33, 0.3], [0.2, 0.19, 0.18], [0.36, 0.42, 0.33]]
)


def person(
    rng: np.random.Generator,
    place: Numbers,
    yaw: float,
    *,
    detailed: bool,
    label: int = PERSON,
    height: float | None = None,
) -> list[Solid]:
    """A person who walks along ``yaw``: legs apart, clothes of any colour; ``detailed`` for swinging arms and hair."""
    size = (height or (rng.uniform(1.55, 1.9) if rng.random() < 0.85 else rng.uniform(1.1, 1.4))) / 1.75
    shirt, trousers = rng.uniform(0.02, 0.6, (2, 3)) * rng.uniform(0.3, 1, (2, 1))
    skin, hair = _SKINS[rng.integers(3)], rng.uniform(0.01, 0.25) * np.array([1, 0.7, 0.45])
    step, broad = rng.uniform(-0.2, 0.2), rng.uniform(0.85, 1.2)
    parts = [
        (shirt, (-0.22, 0.75, -0.14), (0.22, 1.5, 0.14)),
        (trousers, (-0.18, 0, step - 0.09), (-0.01, 0.95, step + 0.1)),
        (trousers, (0.01, 0, -step - 0.09), (0.18, 0.95, -step + 0.1)),
        (skin, (-0.1, 1.47, -0.1), (0.1, 1.75, 0.12)),
        (hair, (-0.11, 1.56, -0.13), (0.11, 1.77, 0.06)),
        (shirt, (-0.3, 0.8, -step - 0.08), (-0.17, 1.42, -step + 0.08)),
        (shirt, (0.17, 0.8, step - 0.08), (0.3, 1.42, step + 0.08)),
    ]
    scale = np.array([broad, 1, broad]) * size
    common: dict[str, Any] = dict(round=True, style=rng.random(6))
    solids = [
        Solid(label, 'plain', color, place, yaw, lower * scale, upper * scale, **common)
        for color, lower, upper in (parts if detailed else parts[:4])
    ]
    solids[0].shadow = True
    return solids


def cyclist(rng: np.random.Generator, place: Numbers, yaw: float) -> list[Solid]:
    """A rider on a bicycle."""
    frame = rng.uniform(0.02, 0.5, 3)
    bars = [((-0.03, 0.5, -0.5), (0.03, 0.62, 0.5)), ((-0.03, 0.3, -0.15), (0.03, 0.85, -0.05))]
    bars += [((-0.25, 0.95, 0.4), (0.25, 1.02, 0.5)), ((-0.03, 0.3, 0.4), (0.03, 1.0, 0.5))]
    bicycle = [Solid(BICYCLE, 'plain', frame, place, yaw, lower, upper) for lower, upper in bars]
    wheels = [
        Solid(
            BICYCLE, 'plain', (0.02, 0.02, 0.02), place, yaw, (-0.04, 0, z - 0.34), (0.04, 0.68, z + 0.34), round=True
        )
        for z in (-0.52, 0.52)
    ]
    saddle = np.asarray(place) + [0, 0.3, 0]
    return bicycle + wheels + person(rng, saddle, yaw, detailed=True, label=RIDER, height=1.5)


def tree(rng: np.random.Generator, place: Numbers, height: float, *, detailed: bool) -> list[Solid]:
    """A trunk under a crown of two overlapping, rough balls, or four where it is ``detailed``."""
    green = rng.uniform((0.03, 0.09, 0.015), (0.16, 0.2, 0.05))
    if rng.random() < 0.12:
        green = np.array([0.3, 0.13, 0.02]) * rng.uniform(0.7, 1.2)
    trunk, radius = rng.uniform(0.08, 0.22), height * rng.uniform(0.24, 0.38)
    stem = height - 1.7 * radius
    bark = np.array([0.1, 0.075, 0.05]) * rng.uniform(0.6, 1.6)
    solids = [Solid(VEGETATION, 'plain', bark, place, 0.0, (-trunk, 0, -trunk), (trunk, stem + radius, trunk))]
    balls = 4 if detailed else 2
    centers = rng.normal(0, 0.4 * radius, (balls, 3))
    sizes = rng.uniform(0.5, 0.8, (balls, 3)) * radius
    centers[0], sizes[0] = 0, radius
    centers[:, 1] += stem + 0.8 * radius
    shades, styles = rng.uniform(0.8, 1.2, balls), rng.random((balls, 6))
    for center, size, shade, style in zip(centers, sizes, shades, styles, strict=True):
        solids.append(
            Solid(
                VEGETATION,
                'leaves',
                green * shade,
                place,
                0.0,
                center - size,
                center + size,
                round=True,
                rough=0.5,
                style=style,
            )
        )
    solids[1].shadow = True
    return solids


def bush(rng: np.random.Generator, place: Numbers) -> list[Solid]:
    """A rough ball of leaves on the ground."""
    size = rng.uniform(0.5, 1.5, 3)
    green = np.array([rng.uniform(0.03, 0.14), rng.uniform(0.08, 0.18), 0.03])
    lower, upper = (-size[0], -0.4 * size[1], -size[2]), (size[0], 1.2 * size[1], size[2])
    return [Solid(VEGETATION, 'leaves', green, place, 0.0, lower, upper, round=True, rough=0.4, style=rng.random(6))]


def barrier(rng: np.random.Generator, place: Numbers, yaw: float, length: float, label: int) -> list[Solid]:
    """A wall, a fence or a hedge along the street."""
    height, thick = rng.uniform(0.9, 1.9), 0.5 if label == VEGETATION else 0.12
    color, material = {
        WALL: (_FACADES[rng.integers(len(_FACADES))] * 0.8, 'boards'),
        FENCE: (rng.uniform(0.03, 0.5) * np.array([1, rng.uniform(0.7, 1), rng.uniform(0.5, 1)]), 'boards'),
        VEGETATION: (np.array([0.06, rng.uniform(0.1, 0.17), 0.03]), 'leaves'),
    }[label]
    lower, upper = (-thick, 0, -length / 2), (thick, height, length / 2)
    return [Solid(label, material, color, place, yaw, lower, upper, style=rng.random(6))]


def house(rng: np.random.Generator, place: Numbers, yaw: float, size: Numbers, *, gable: bool) -> list[Solid]:
    """A building of ``size`` (depth, height, length), with a flat roof, or a gable on top of the height."""
    depth, height, length = size
    color = _FACADES[rng.integers(len(_FACADES))] * rng.uniform(0.7, 1.25) * rng.normal(1, 0.06, 3)
    style = rng.random(6)
    cuts, roof = np.zeros((0, 4)), 0.0
    if gable:
        roof = depth * rng.uniform(0.25, 0.45)
        away = 100.0
        cuts = slopes((away, away, depth / 2, depth / 2), (away, away, 0, 0), height, height + roof)[2:]
        style[2] *= 0.5
    lower, upper = (-depth / 2, 0, -length / 2), (depth / 2, height + roof, length / 2)
    return [Solid(BUILDING, 'facade', color, place, yaw, lower, upper, cuts=cuts, style=style, shadow=True)]


def pole(rng: np.random.Generator, place: Numbers, yaw: float, top: str) -> list[Solid]:
    """A pole with a lamp on an arm, a traffic sign or a traffic light on ``top``; the street lies to its left."""
    gray = np.full(3, rng.uniform(0.05, 0.35))
    style = rng.random(6)
    height = {'lamp': rng.uniform(5.5, 8), 'sign': rng.uniform(2.2, 2.8), 'signal': 3.2}[top]
    thick = 0.09 if top == 'lamp' else 0.06
    post = Solid(POLE, 'plain', gray, place, yaw, (-thick, 0, -thick), (thick, height, thick))
    if top == 'lamp':
        arm = Solid(POLE, 'plain', gray, place, yaw, (-1.6, height - 0.12, -0.06), (0, height, 0.06))
        return [post, arm]
    wide, tall = (rng.uniform(0.3, 0.4), rng.uniform(0.3, 0.45)) if top == 'sign' else (0.17, 0.45)
    label, thick = (SIGN, 0.03) if top == 'sign' else (LIGHT, 0.15)
    lower, upper = (-wide, height - 2 * tall, -0.08 - thick), (wide, height, -0.08)
    plate = Solid(label, top, gray, place, yaw, lower, upper, round=top == 'sign' and style[2] < 0.5, style=style)
    return [post, plate]
