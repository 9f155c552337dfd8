"""Tiny folders in CityScapes' two formats."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np

CAMERA = dict(intrinsic=dict(fx=40.0, fy=40.0, u0=16.0, v0=8.0), extrinsic=dict(baseline=0.25))
CITIES = dict(train=('aachen', 'bochum'), val=('lindau',))
LABEL_IDS = (0, 3, 7, 8, 9, 11, 12, 17, 20, 21, 22, 23, 24, 25, 26, 33)


def write_cityscapes(root, num_train=4, num_val=2, size=(16, 32), camera=True, seed=0) -> str:
    """Write CityScapes' folders: rectangles of labels, coloured by label, with disparities; return the root."""
    rng, root = np.random.default_rng(seed), Path(root)
    colors = rng.integers(0, 256, (34, 3))
    for split, count in dict(train=num_train, val=num_val).items():
        for number in range(count):
            city = CITIES[split][number % len(CITIES[split])]
            name = f'{city}_{number:06d}_000019'
            coarse = rng.choice(LABEL_IDS, (4, 8)).astype(np.uint8)
            labels = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_NEAREST)
            image = np.clip(colors[labels] + rng.normal(0, 10, (*size, 3)), 0, 255).astype(np.uint8)
            disparity = (256 * rng.uniform(0.5, 6, size) + 1).astype(np.uint16)
            disparity[rng.random(size) < 0.2] = 0
            write_png(root / f'leftImg8bit/{split}/{city}/{name}_leftImg8bit.png', image)
            write_png(root / f'gtFine/{split}/{city}/{name}_gtFine_labelIds.png', labels)
            write_png(root / f'disparity/{split}/{city}/{name}_disparity.png', disparity)
            if camera:
                path = root / f'camera/{split}/{city}/{name}_camera.json'
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(json.dumps(CAMERA))
    return str(root)


def write_npy(root, num_train=4, num_val=2, size=(16, 32), seed=0) -> str:
    """Write the pre-processed form; return the root."""
    rng, root = np.random.default_rng(seed), Path(root)
    for split, count in dict(train=num_train, val=num_val).items():
        for number in range(count):
            depth = rng.uniform(0.01, 0.5, (*size, 1))
            depth[rng.random(size) < 0.2] = 0
            arrays = dict(
                image=rng.random((*size, 3)),
                label_7=rng.integers(-1, 7, size).astype(np.float64),
                label_19=rng.integers(-1, 19, size).astype(np.float64),
                depth=depth,
            )
            for folder, array in arrays.items():
                (root / split / folder).mkdir(parents=True, exist_ok=True)
                np.save(root / split / folder / f'{number}.npy', array)
    return str(root)


def write_png(path, array) -> None:
    """Write an array as a PNG file, with its folder."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), array)
