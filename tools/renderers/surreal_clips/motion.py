"""Motion of a figure in a clip, from one random pose to another."""

from __future__ import annotations

import numpy as np

# Mean and spread of the rotation vectors, in radians, of the joints that move by more than a little; left side. Arms
# and legs move beside the body more than before it: what moves towards the camera is hard to see in a small picture.
_MEAN = {16: (0.0, -0.1, -0.7), 18: (0.0, -0.2, 0.2), 1: (-0.05, 0.0, 0.15), 4: (0.12, 0.0, 0.0)}
_SPREAD = {
    1: (0.07, 0.05, 0.22),
    3: (0.03, 0.05, 0.1),
    4: (0.08, 0.0, 0.0),
    6: (0.03, 0.05, 0.1),
    7: (0.1, 0.1, 0.05),
    9: (0.03, 0.05, 0.1),
    12: (0.1, 0.15, 0.1),
    13: (0.03, 0.03, 0.1),
    15: (0.1, 0.15, 0.1),
    16: (0.15, 0.08, 0.7),
    18: (0.1, 0.1, 0.5),
    20: (0.1, 0.1, 0.15),
}
_RIGHT_OF = {1: 2, 4: 5, 7: 8, 13: 14, 16: 17, 18: 19, 20: 21}
# A mirrored rotation keeps its component about x and negates the others.
_MIRROR = np.array([1.0, -1.0, -1.0])
_UPRIGHT = np.pi / 2  # of the pelvis about x: motion capture has z for up, SMPL y
_FACING = np.pi / 2  # of the whole body about the vertical axis: towards the camera
# Always to the same side: at this distance, turns to the left and to the right look the same.
_TURN = (0.0, 0.3)


def draw_motion(rng: np.random.Generator, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw the poses of a clip.

    Args:
        rng: Generator that decides everything.
        frames: Number T of frames.

    Returns:
        Rotation vectors as SURREAL has them, of shape (T, 72), and the angles ``zrot`` of the body, (T,).
    """
    first, last = _draw_pose(rng), _draw_pose(rng)
    share = np.linspace(0, 1, frames)[:, None]
    zrot = _FACING + rng.uniform(*_TURN)
    return (1 - share) * first + share * last, np.full(frames, zrot)


def _draw_pose(rng: np.random.Generator) -> np.ndarray:
    """Return rotation vectors (72,)."""
    pose = rng.normal(0, 0.02, (24, 3))
    for joint, spread in _SPREAD.items():
        mean = np.array(_MEAN.get(joint, (0.0, 0.0, 0.0)))
        pose[joint] += mean + rng.normal(0, 1, 3) * spread
        if joint in _RIGHT_OF:
            pose[_RIGHT_OF[joint]] += _MIRROR * mean + rng.normal(0, 1, 3) * spread
    pose[[4, 5], 0] = np.abs(pose[[4, 5], 0])  # knees bend one way only
    pose[0] = (_UPRIGHT, 0, 0) + rng.normal(0, 0.03, 3)
    return pose.ravel()
