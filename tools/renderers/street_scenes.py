"""Rendered street scenes in the folder format of CityScapes: data for segmentation and depth without a download."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np

from mmfct.utils.files import write_atomically

from .rendered_folder import is_complete, write_files
from .street_scene.files import encode_scene, missing_scenes, scene_files
from .street_scene.render import Scene, render_scene

# Grows whenever the same parameters give other files.
_VERSION = 1
_MARKER = 'street_scenes.json'
# There from the first file on: tells a folder that is not complete yet from one that holds something else.
_STARTED = 'street_scenes.started.json'
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

    ``street_scenes.json`` is written last. Where it is, with the same parameters, nothing is done. Several processes
    may write the same folder at the same time.

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
    for name, value, least in (('num_train', num_train, 1), ('num_val', num_val, 0)):
        if not least <= value <= _MOST:
            raise ValueError(f'`{name}` must be between {least} and {_MOST}, got {value!r}')
    if seed < 0:
        raise ValueError(f'`seed` must not be negative, got {seed!r}')
    if len(size) != 2 or min(size) < _SMALLEST:
        raise ValueError(f'`size` must be (height, width), both at least {_SMALLEST}, got {size!r}')
    root = Path(out).expanduser()
    parameters = dict(version=_VERSION, num_train=num_train, num_val=num_val, seed=seed, size=list(size))
    if is_complete(root, parameters, marker=_MARKER, started=_STARTED, what='street scenes'):
        return 0
    content = json.dumps(parameters, indent=4).encode()
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(root / _STARTED, content)
    scenes = [(split, index) for split, num in zip(_SPLITS, (num_train, num_val), strict=True) for index in range(num)]
    missing = missing_scenes(root, scenes)
    _render(root, missing, seed, size)
    # The marker must not survive a crash of the machine that the scenes do not.
    os.sync()
    write_atomically(root / _MARKER, content)
    (root / _STARTED).unlink(missing_ok=True)
    return len(missing)


def _render(root: Path, scenes: list[tuple[str, int]], seed: int, size: tuple[int, int]) -> None:
    """Write the files of scenes, pairs (split, index), with a progress bar."""
    from mmengine.utils import track_iter_progress
    from threadpoolctl import threadpool_limits

    # A bar that cannot go back to the start of its line would be a line per scene.
    shown = track_iter_progress(scenes, file=sys.stderr) if scenes and sys.stderr.isatty() else scenes
    # The products of matrices are small: threads would spend more time on waiting than they save.
    with threadpool_limits(1, user_api='blas'):
        for split, index in shown:
            contents = encode_scene(street_scene(split, index, seed=seed, size=size))
            write_files(scene_files(root, split, index), contents)
