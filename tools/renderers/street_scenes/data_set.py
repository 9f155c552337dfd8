"""Rendered street scenes in the folder format of CityScapes: data for segmentation and depth without a download."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..folder import completed_folder, render_missing
from .files import encode_scene, scene_files
from .render import Scene, render_scene

# Grows whenever the same parameters give other files.
_VERSION = 1
_SPLITS = ('train', 'val')
_MOST, _SMALLEST = 1_000_000, 16


def street_scene(split: str, index: int, *, seed: int = 0, size: tuple[int, int] = (64, 128)) -> Scene:
    """Render one scene. It depends on the arguments only, not on how many others there are.

    Args:
        split: ``'train'`` or ``'val'``.
        index: Number of the scene in its split.
        seed: Seed of the data set.
        size: Height and width of the image.

    Raises:
        ValueError: If ``split`` is another one.
    """
    if split not in _SPLITS:
        raise ValueError(f"`split` must be 'train' or 'val', got {split!r}")
    return render_scene(np.random.default_rng([seed, _SPLITS.index(split), index]), size)


def render_street_scenes(
    out: str | Path,
    *,
    num_train: int = 400,
    num_val: int = 100,
    seed: int = 0,
    size: tuple[int, int] = (64, 128),
) -> int:
    """Write a data set of rendered street scenes, or the part of it that is missing.

    The folder has images (``leftImg8bit``), label ids (``gtFine``), disparities and camera files as CityScapes
    publishes them. ``fx * baseline / disparity`` is the exact depth of what is at the centre of the pixel; sky, the
    bonnet of the own car and the left border have no disparity. The baseline is larger than that of CityScapes, so
    that small images resolve inverse depth as well as its large ones.

    ``street_scenes.json`` is written last: a folder that has it, with the same parameters, is left alone. Several
    processes may write the same folder at the same time.

    Args:
        out: Folder to write.
        num_train: Number of training scenes.
        num_val: Number of validation scenes.
        seed: Seed; equal seeds give equal scenes of equal index.
        size: Height and width of the images.

    Returns:
        How many scenes were rendered.

    Raises:
        ValueError: If an argument is out of range, or ``out`` holds scenes with other parameters, or something else.
    """
    from threadpoolctl import threadpool_limits

    for name, value, least in (('num_train', num_train, 1), ('num_val', num_val, 0)):
        if not least <= value <= _MOST:
            raise ValueError(f'`{name}` must be between {least} and {_MOST}, got {value!r}')
    if seed < 0:
        raise ValueError(f'`seed` must not be negative, got {seed!r}')
    if len(size) != 2 or min(size) < _SMALLEST:
        raise ValueError(f'`size` must be (height, width), both at least {_SMALLEST}, got {size!r}')
    parameters = dict(version=_VERSION, num_train=num_train, num_val=num_val, seed=seed, size=list(size))
    scenes = [(split, index) for split, num in zip(_SPLITS, (num_train, num_val), strict=True) for index in range(num)]
    with completed_folder(out, parameters, name='street_scenes', what='street scenes') as root:
        if root is None:
            return 0
        # The products of matrices are small: threads would spend more time on waiting than they save.
        with threadpool_limits(1, user_api='blas'):
            return render_missing(
                scenes,
                lambda scene: scene_files(root, *scene),
                lambda scene: encode_scene(street_scene(*scene, seed=seed, size=size)),
                unit='scenes',
            )
