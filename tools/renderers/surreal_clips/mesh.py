"""The figure as a body model: the arrays of an SMPL file for a small mesh."""

from __future__ import annotations

import numpy as np

from mmfct.datasets.smpl_skeleton import NUM_SHAPES, PARENTS

from .figure import make_figure

_SIDES = 8
# Rings of a capsule: place along the axis, distance from it and distance beyond its end, the latter two in radii.
_RINGS = (
    *((0.0, 0.1, -1.0), (0.0, 0.7, -0.7), (0.0, 1.0, 0.0), (0.5, 1.0, 0.0)),
    *((1.0, 1.0, 0.0), (1.0, 0.7, 0.7), (1.0, 0.1, 1.0)),
)
_MARK = 0.01  # metres from a joint to the vertices whose mean it is


def body_arrays(gender: str) -> dict[str, np.ndarray]:
    """Return the body model of a gender, with the names, axes and types of an SMPL file in ``.npz`` form.

    Vertices are affine in the shape and move with one joint each; poses deform nothing (``posedirs`` is 0). Joints are
    means of six vertices around them, so the regressor is exact.

    Args:
        gender: ``'female'`` or ``'male'``.
    """
    template = _vertices(np.zeros(NUM_SHAPES), gender)
    directions = [_vertices(unit, gender) - template for unit in np.eye(NUM_SHAPES)]
    figure = make_figure(np.zeros(NUM_SHAPES), gender)
    owner = np.concatenate([np.repeat(np.arange(24), 6), np.repeat(figure.owner, len(_RINGS) * _SIDES)])
    regressor = np.zeros((24, len(template)))
    for joint in range(24):
        regressor[joint, 6 * joint : 6 * joint + 6] = 1 / 6
    kintree = np.array([PARENTS, range(24)], dtype=np.int64)
    kintree[0, 0] = 2**32 - 1  # as in SMPL's files
    return dict(
        v_template=template,
        shapedirs=np.stack(directions, axis=-1),
        posedirs=np.zeros((len(template), 3, 207)),
        J_regressor=regressor,
        weights=np.eye(24)[owner],
        kintree_table=kintree.astype(np.uint32),
        f=_faces(len(figure.owner)),
        gender=np.array(gender),
    )


def _vertices(shape: np.ndarray, gender: str) -> np.ndarray:
    """Return the vertices (V, 3) of a shape (10,): six around each joint, then the rings of the capsules."""
    figure = make_figure(shape, gender)
    base = make_figure(np.zeros(NUM_SHAPES), gender)
    marks = np.concatenate([np.eye(3), -np.eye(3)]) * _MARK
    vertices = [(figure.joints[:, None] + marks).reshape(-1, 3)]
    angles = 2 * np.pi * np.arange(_SIDES) / _SIDES
    for number, (start, end, radius) in enumerate(zip(figure.start, figure.end, figure.radius, strict=True)):
        # Directions are those of the mean shape: with those of the shape itself, vertices would not be affine in it.
        axis = base.end[number] - base.start[number]
        axis = axis / np.linalg.norm(axis)
        across = np.cross(axis, np.eye(3)[np.abs(axis).argmin()])
        across = across / np.linalg.norm(across)
        circle = np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * np.cross(axis, across)
        for place, wide, beyond in _RINGS:
            center = (1 - place) * start + place * end + beyond * radius * axis
            vertices.append(center + wide * radius * circle)
    return np.concatenate(vertices)


def _faces(capsules: int) -> np.ndarray:
    """Return the triangles (F, 3) between neighbouring rings, uint32."""
    first = 24 * 6 + np.arange(capsules)[:, None, None] * len(_RINGS) * _SIDES
    ring = first + np.arange(len(_RINGS) - 1)[:, None] * _SIDES
    here, following = np.arange(_SIDES), (np.arange(_SIDES) + 1) % _SIDES
    a, b, c, d = ring + here, ring + following, ring + _SIDES + here, ring + _SIDES + following
    triangles = np.concatenate([np.stack([a, b, c], -1), np.stack([b, d, c], -1)], axis=-2)
    return triangles.reshape(-1, 3).astype(np.uint32)
