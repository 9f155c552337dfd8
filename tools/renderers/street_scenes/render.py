"""Render a street: image, labels and depth from a random generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from . import labels
from .camera import Camera
from .depth_buffer import DepthBuffer
from .ground import draw_ground
from .layout import draw_contents
from .light import Light
from .shading import shade
from .street import Street

_CENTERS = slice(1, None, 2)
_GROUND_LABELS = np.array([labels.ROAD, labels.SIDEWALK, labels.SIDEWALK, labels.TERRAIN])


@dataclass(frozen=True)
class Scene:
    """What the camera sees.

    Args:
        camera: The camera.
        image: RGB image of shape (H, W, 3), ``uint8``.
        labels: CityScapes ids of shape (H, W), ``uint8``.
        depth: Depth along the optical axis at the centres of the pixels, in metres, of shape (H, W); infinite in the
            sky.
        measured: Whether a stereo camera gives the disparity, of shape (H, W).
    """

    camera: Camera
    image: np.ndarray
    labels: np.ndarray
    depth: np.ndarray
    measured: np.ndarray


def render_scene(rng: np.random.Generator, size: tuple[int, int]) -> Scene:
    """Draw a street at random and render it.

    Args:
        rng: Generator that decides everything.
        size: Height and width of the image.
    """
    noise = _noise(rng)
    street, light = Street.draw(rng), Light.draw(rng)
    lane = (street.half_width - street.parking) / street.lanes
    position = (lane * rng.uniform(0.3, 0.6), rng.uniform(1.2, 2.2), 0.0)
    # Cars and vans, on roads that rise and fall: a depth map that belongs to another image fits nowhere.
    camera = Camera(*size, position, pitch=rng.uniform(-0.02, 0.12), yaw=rng.normal(0, 0.04))
    solids = draw_contents(rng, street)
    buffer = DepthBuffer(camera, noise)
    draw_ground(street, buffer)
    buffer.draw(solids)
    colors = shade(buffer, street, solids, light, noise)
    depth, solid, side = (value[_CENTERS, _CENTERS] for value in (buffer.depth, buffer.solid, buffer.side))
    ground = _GROUND_LABELS[np.where(solid < 0, side, 0)]
    classes = np.where(solid < 0, ground, np.array([item.label for item in solids])[solid])
    classes = np.where(np.isinf(depth), labels.SKY, classes).astype(np.uint8)
    image = _develop(rng, colors, light)
    bonnet = _bonnet(rng, camera)
    image[bonnet] = image[bonnet] // 6 + 12
    classes[bonnet] = labels.EGO
    measured = ~bonnet
    # Stereo matching has no partner for the left border.
    measured[:, : round(camera.width / 64)] = False
    return Scene(camera, image, classes, depth, measured)


def _noise(rng: np.random.Generator) -> np.ndarray:
    """Seamless tile of shape (128, 128) of values in [0, 1], coarse and fine."""
    size = 128
    tile = np.zeros((size, size), np.float32)
    for cells, weight in ((8, 1.0), (32, 0.7), (128, 0.45)):
        # Weights of shape (size, cells) of linear interpolation between the cells, the last of which meets the first.
        distance = np.abs(np.arange(size)[:, None] * cells / size - np.arange(cells))
        blend = np.maximum(1 - np.minimum(distance, cells - distance), 0).astype(np.float32)
        tile += weight * (blend @ rng.random((cells, cells), dtype=np.float32) @ blend.T)
    tile -= tile.min()
    return tile / tile.max()


def _develop(rng: np.random.Generator, colors: np.ndarray, light: Light) -> np.ndarray:
    """Turn light of shape (3, 2 * H + 1, 2 * W + 1) into an RGB image of shape (H, W, 3)."""
    colors = np.minimum(colors, 2)
    # A pixel gathers light from the area around its centre, less from farther away.
    rows = (colors[:, :-1:2] + colors[:, 2::2]) / 4 + colors[:, 1::2] / 2
    image = (rows[:, :, :-1:2] + rows[:, :, 2::2]) / 4 + rows[:, :, 1::2] / 2
    image = image.transpose(1, 2, 0) * (light.exposure * rng.normal(1, 0.04, 3))
    image = np.clip(image, 0, 1) ** (1 / rng.uniform(1.9, 2.4))
    image = 255 * image + rng.normal(0, rng.uniform(1, 4), image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _bonnet(rng: np.random.Generator, camera: Camera) -> np.ndarray:
    """Pixels of shape (H, W) that show the bonnet of the own car."""
    columns = (np.arange(camera.width) - camera.center[0]) / camera.width
    edge = camera.height * (1 - rng.uniform(0.02, 0.09) + 0.25 * columns**2)
    return np.arange(camera.height)[:, None] > edge
