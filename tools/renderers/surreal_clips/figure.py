"""The figure: joints and capsules that are affine in the shape, as SMPL's vertices are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mmfct.datasets.smpl_skeleton import PARENTS

# Left half of the T-pose in metres, relative to the joint before: x to the left of the figure, y up, z forward.
_LEFT = {
    0: (0.0, 0.0, 0.0),
    1: (0.07, -0.09, 0.0),
    3: (0.0, 0.11, -0.02),
    4: (0.03, -0.38, 0.0),
    6: (0.0, 0.13, 0.01),
    7: (-0.01, -0.41, -0.03),
    9: (0.0, 0.06, 0.01),
    10: (0.02, -0.06, 0.12),
    12: (0.0, 0.21, -0.03),
    13: (0.08, 0.12, -0.02),
    15: (0.0, 0.09, 0.04),
    16: (0.11, 0.03, -0.01),
    18: (0.26, -0.01, -0.01),
    20: (0.25, 0.01, 0.0),
    22: (0.09, -0.01, -0.01),
}
_RIGHT_OF = {1: 2, 4: 5, 7: 8, 10: 11, 13: 14, 16: 17, 18: 19, 20: 21, 22: 23}
# The bones whose length each shape coefficient scales; the first scales everything, the second all radii.
_LENGTH = {2: (4, 5, 7, 8, 10, 11), 3: (18, 19, 20, 21, 22, 23), 4: (3, 6, 9, 12), 5: (13, 14, 16, 17), 6: (1, 2)}
_LENGTH[7] = (15,)
_GIRTH = {8: (0, 3, 6, 9), 9: (1, 2, 4, 5)}
# Capsules: joint, start and end relative to it, or the joint where it ends, and radius; right ones are mirrored.
_CAPSULES: tuple[tuple[int, tuple[float, float, float], tuple[float, float, float] | int, float], ...] = (
    (0, (-0.06, -0.04, 0.0), (0.06, -0.04, 0.0), 0.11),
    (3, (-0.05, 0.02, 0.01), (0.05, 0.02, 0.01), 0.105),
    (6, (-0.06, 0.0, 0.01), (0.06, 0.0, 0.01), 0.11),
    (9, (-0.07, 0.06, 0.01), (0.07, 0.06, 0.01), 0.115),
    (12, (0.0, 0.0, 0.0), 15, 0.055),
    (15, (0.0, 0.03, 0.02), (0.0, 0.12, 0.02), 0.09),
    (1, (0.0, 0.0, 0.0), 4, 0.075),
    (4, (0.0, 0.0, 0.0), 7, 0.055),
    (7, (0.0, -0.02, -0.02), 10, 0.045),
    (10, (0.0, 0.0, 0.0), (0.0, 0.0, 0.07), 0.038),
    (13, (0.0, 0.0, 0.0), 16, 0.06),
    (16, (0.0, 0.0, 0.0), 18, 0.05),
    (18, (0.0, 0.0, 0.0), 20, 0.042),
    (20, (0.0, 0.0, 0.0), 22, 0.042),
    (22, (0.0, 0.0, 0.0), (0.07, 0.0, 0.0), 0.036),
)


class Figure(NamedTuple):
    """A figure in T-pose.

    Args:
        joints: Joints of shape (24, 3), in metres.
        owner: The joint that moves each of P capsules, (P,).
        start: One end of each capsule's axis, (P, 3).
        end: The other end, (P, 3).
        radius: Radii (P,), in metres.
    """

    joints: np.ndarray
    owner: np.ndarray
    start: np.ndarray
    end: np.ndarray
    radius: np.ndarray


def make_figure(shape: np.ndarray, gender: str) -> Figure:
    """Return the figure of a shape (10,) and a gender; every number in it is affine in the shape."""
    # Two percent: a crop does not show how large a person is, so a larger spread would be an unavoidable error.
    factor = np.full(24, 1 + 0.02 * shape[0])
    girth = factor + 0.08 * shape[1]
    for number, joints in _LENGTH.items():
        factor[list(joints)] += 0.02 * shape[number]
    for number, joints in _GIRTH.items():
        girth[list(joints)] += 0.08 * shape[number]
    wide, narrow = ([1, 2, 0], [13, 14, 16, 17]) if gender == 'female' else ([13, 14, 16, 17], [1, 2])
    factor[wide] += 0.05
    factor[narrow] -= 0.05
    offsets = np.zeros((24, 3))
    for joint, offset in _LEFT.items():
        offsets[joint] = offset
        offsets[_RIGHT_OF.get(joint, joint)] = np.multiply(offset, (-1 if joint in _RIGHT_OF else 1, 1, 1))
    rest = offsets * factor[:, None]
    for joint, parent in enumerate(PARENTS[1:], 1):
        rest[joint] += rest[parent]
    owner, start, end, radius = [], [], [], []
    for joint, first, last, size in _CAPSULES:
        sides = [(joint, 1)] + ([(_RIGHT_OF[joint], -1)] if joint in _RIGHT_OF else [])
        for side, sign in sides:
            owner.append(side)
            start.append(rest[side] + np.multiply(first, (sign, 1, 1)) * factor[side])
            if isinstance(last, int):
                end.append(rest[_RIGHT_OF[last] if sign < 0 else last])
            else:
                end.append(rest[side] + np.multiply(last, (sign, 1, 1)) * factor[side])
            radius.append(size * girth[side])
    return Figure(rest, np.array(owner), np.array(start), np.array(end), np.array(radius))
