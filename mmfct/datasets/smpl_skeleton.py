"""SMPL's skeleton, and SURREAL's body parts, which follow its numbering."""

from __future__ import annotations

import numpy as np

JOINTS = (
    *('pelvis', 'left_hip', 'right_hip', 'spine1', 'left_knee', 'right_knee', 'spine2', 'left_ankle'),
    *('right_ankle', 'spine3', 'left_foot', 'right_foot', 'neck', 'left_collar', 'right_collar', 'head'),
    *('left_shoulder', 'right_shoulder', 'left_elbow', 'right_elbow', 'left_wrist', 'right_wrist'),
    *('left_hand', 'right_hand'),
)
# Parent of each joint, -1 for the pelvis; parents come first.
PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
NUM_SHAPES = 10

PARTS = (
    *('background', 'head', 'torso', 'right_upper_arm', 'right_forearm', 'right_hand'),
    *('left_upper_arm', 'left_forearm', 'left_hand', 'right_thigh', 'right_shin', 'right_foot'),
    *('left_thigh', 'left_shin', 'left_foot'),
)
# Benchmark part of each of SURREAL's labels: 0 is the background, n + 1 is what joint n moves.
PART_OF_LABEL = np.array(
    [0, 2, 12, 9, 2, 13, 10, 2, 14, 11, 2, 14, 11, 2, 2, 2, 1, 6, 3, 7, 4, 8, 5, 8, 5], dtype=np.uint8
)
PALETTE = (
    *([0, 0, 0], [230, 190, 140], [120, 120, 120], [200, 30, 30], [240, 90, 60], [250, 170, 120]),
    *([30, 60, 200], [60, 130, 240], [140, 190, 250], [150, 80, 20], [200, 140, 40], [240, 210, 60]),
    *([20, 110, 60], [60, 170, 90], [150, 220, 110]),
)


def pose_joints(rest: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Forward kinematics: rotate every joint together with its descendants.

    Args:
        rest: Joints of the rest pose, of shape (24, 3).
        rotations: Rotation matrices of the joints relative to their parents, (24, 3, 3).

    Returns:
        Joints (24, 3), with the pelvis unmoved, and the absolute rotation (24, 3, 3) of what each joint moves.
    """
    joints, turned = rest.copy(), rotations.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            turned[joint] = turned[parent] @ rotations[joint]
            joints[joint] = joints[parent] + turned[parent] @ (rest[joint] - rest[parent])
    return joints, turned
