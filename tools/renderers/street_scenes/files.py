"""The files of a scene, in CityScapes' folder format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from .render import Scene

_PER_CITY = 100


def scene_files(root: Path, split: str, index: int) -> dict[str, Path]:
    """Paths of the files of a scene: ``image``, ``labels``, ``disparity`` and ``camera``.

    Args:
        root: Folder of the data set.
        split: ``'train'`` or ``'val'``.
        index: Number of the scene in its split.
    """
    city = f'{split}{index // _PER_CITY:02d}'
    name = f'{city}_{index:06d}_000000'
    return {
        kind: root / folder / split / city / f'{name}_{suffix}'
        for kind, folder, suffix in (
            ('labels', 'gtFine', 'gtFine_labelIds.png'),
            ('disparity', 'disparity', 'disparity.png'),
            ('camera', 'camera', 'camera.json'),
            ('image', 'leftImg8bit', 'leftImg8bit.png'),
        )
    }


def encode_scene(scene: Scene) -> dict[str, bytes]:
    """Contents of the files of a scene, by the keys of :func:`scene_files`."""
    disparity = np.where(scene.measured, scene.camera.encode_disparity(scene.depth), 0).astype(np.uint16)
    return dict(
        labels=_png(scene.labels),
        disparity=_png(disparity),
        camera=json.dumps(scene.camera.description(), indent=4).encode(),
        image=_png(scene.image[..., ::-1]),
    )


def _png(pixels: np.ndarray) -> bytes:
    """Encode a picture of shape (H, W) or (H, W, 3), the latter BGR."""
    import cv2

    return cv2.imencode('.png', pixels, [cv2.IMWRITE_PNG_COMPRESSION, 6])[1].tobytes()
