"""Render a clip: frames and all their labels from a random generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmfct.datasets.smpl_skeleton import NUM_SHAPES, PALETTE, PART_OF_LABEL, PARTS, pose_joints
from mmfct.datasets.surreal_camera import HEIGHT, WIDTH, project, to_camera, to_world

from .capsules import draw_capsules
from .figure import make_figure
from .motion import draw_motion

BACKGROUND = 1e10  # depth of SURREAL's background


@dataclass(frozen=True)
class Clip:
    """T frames and their labels.

    Args:
        images: RGB of shape (T, 240, 320, 3), ``uint8``.
        depth: Depth in metres, 1e10 in the background, float32 of shape (T, 240, 320).
        segm: 0, or 1 + the joint that moves the part, ``uint8`` of shape (T, 240, 320).
        joints3d: Joints of the world (T, 24, 3), in metres.
        joints2d: Their pixels (T, 24, 2), column and row.
        pose: Rotation vectors (T, 72).
        shape: Shape (10,).
        gender: ``'female'`` or ``'male'``.
        zrot: Angles of the body about the vertical axis (T,).
        camera: Position of the camera (3,).
        light: Coefficients of spherical harmonics (9,): the first is ambient light, the next three are its direction.
    """

    images: np.ndarray
    depth: np.ndarray
    segm: np.ndarray
    joints3d: np.ndarray
    joints2d: np.ndarray
    pose: np.ndarray
    shape: np.ndarray
    gender: str
    zrot: np.ndarray
    camera: np.ndarray
    light: np.ndarray


def render_clip(rng: np.random.Generator, frames: int) -> Clip:
    """Draw a figure, a motion and a camera at random, and render the frames.

    Args:
        rng: Generator that decides everything.
        frames: Number T of frames.
    """
    from scipy.spatial.transform import Rotation

    gender = ('female', 'male')[rng.integers(2)]
    shape = rng.normal(0, 1, NUM_SHAPES).clip(-2.5, 2.5)
    pose, zrot = draw_motion(rng, frames)
    figure = make_figure(shape, gender)
    camera = np.array([rng.uniform(5.5, 7.5), -1.0, 0.0])
    pelvis = np.array([0, rng.uniform(-1.1, -0.85), rng.uniform(-0.35, 0.35)])
    pelvis = pelvis + np.linspace(0, 1, frames)[:, None] * rng.normal(0, 0.1, 3) * (1, 0, 1)
    light = np.zeros(9)
    light[0], light[1:4] = rng.uniform(0.45, 0.65), rng.normal(0, 1, 3) - (0, 0.5, 1)
    light[1:4] *= (1 - light[0]) / np.linalg.norm(light[1:4])
    colors, background = _draw_colors(rng), _draw_background(rng)

    images, depths, parts, joints3d = [], [], [], []
    for frame in range(frames):
        turns = Rotation.from_rotvec(pose[frame].reshape(24, 3)).as_matrix()
        turns[0] = to_world(zrot[frame]) @ turns[0]
        joints, turned = pose_joints(figure.joints, turns)
        owner = figure.owner
        ends = [
            to_camera(
                np.einsum('pij,pj->pi', turned[owner], point - figure.joints[owner]) + joints[owner] + pelvis[frame],
                camera,
            )
            for point in (figure.start, figure.end)
        ]
        depth, capsule, normal = draw_capsules(ends[0], ends[1], figure.radius)
        joint = np.where(capsule >= 0, owner[capsule], -1)
        shade = light[0] + np.maximum(normal @ light[1:4], 0)
        image = np.where(joint[..., None] >= 0, colors[joint] * shade[..., None], background)
        image = image + rng.normal(0, 4, image.shape)
        images.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
        depths.append(np.where(np.isinf(depth), BACKGROUND, depth).astype(np.float32))
        parts.append((joint + 1).astype(np.uint8))
        joints3d.append(joints + pelvis[frame])
    world = np.stack(joints3d)
    return Clip(
        images=np.stack(images),
        depth=np.stack(depths),
        segm=np.stack(parts),
        joints3d=world,
        joints2d=project(world, camera),
        pose=pose,
        shape=shape,
        gender=gender,
        zrot=zrot,
        camera=camera,
        light=light,
    )


def _draw_colors(rng: np.random.Generator) -> np.ndarray:
    """Return the colour (24, 3) of what each joint moves, RGB from 0 to 255.

    A suit in the colours of the parts, faded and dyed at random: it tells left from right, which takes more pictures
    than a small data set has where clothes do not.
    """
    suit = np.array(PALETTE, dtype=float)[PART_OF_LABEL[1:]]
    dye = rng.uniform(0, 255, (len(PARTS), 3))[PART_OF_LABEL[1:]]
    return rng.uniform(0.8, 1.1) * (0.75 * suit + 0.25 * dye)


def _draw_background(rng: np.random.Generator) -> np.ndarray:
    """Return a soft picture of shape (240, 320, 3), RGB from 0 to 255."""
    import cv2

    picture = np.zeros((HEIGHT, WIDTH, 3))
    for cells, weight in ((3, 0.7), (12, 0.3)):
        coarse = rng.uniform(0, 255, (cells, cells, 3))
        picture += weight * cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return 0.2 * picture + 0.7 * picture.mean(-1, keepdims=True)  # rooms are less colourful than the suit
