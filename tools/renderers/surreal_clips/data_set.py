"""Rendered clips in the format of SURREAL: data for human pose, depth and body parts without a download."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..folder import completed_folder, render_missing, write_files
from .files import clip_files, encode_clip
from .mesh import body_arrays
from .render import Clip, render_clip

# Grows whenever the same parameters give other files.
_VERSION = 1
_SPLITS = ('train', 'val', 'test')
_MOST = 100_000
_BODY_FILES = dict(female='smpl/SMPL_FEMALE.npz', male='smpl/SMPL_MALE.npz')


def surreal_clip(split: str, index: int, *, frames: int = 2, seed: int = 0) -> Clip:
    """Render one clip. It depends on the arguments only, not on how many others there are.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'``.
        index: Number of the clip in its split.
        frames: Number of frames.
        seed: Seed of the data set.

    Raises:
        ValueError: If ``split`` is another one.
    """
    if split not in _SPLITS:
        raise ValueError(f'`split` must be one of {_SPLITS}, got {split!r}')
    return render_clip(np.random.default_rng([seed, _SPLITS.index(split), index]), frames)


def render_surreal_clips(
    out: str | Path,
    *,
    num_train: int = 800,
    num_val: int = 100,
    num_test: int = 200,
    frames: int = 2,
    seed: int = 0,
) -> int:
    """Write a data set of rendered clips, or the part of it that is missing.

    The folder has ``cmu/{train,val,test}/run{0,1,2}/<sequence>/<sequence>_c%04d`` with ``.mp4``, ``_depth.mat``,
    ``_segm.mat`` and ``_info.mat``, as SURREAL has them, and the figure as a body model of SMPL's format in ``smpl``:
    with pose and shape it gives the joints and the surface that were rendered.

    ``surreal_clips.json`` is written last: a folder that has it, with the same parameters, is left alone. Several
    processes may write the same folder at the same time.

    Args:
        out: Folder to write.
        num_train: Number of training clips.
        num_val: Number of validation clips.
        num_test: Number of test clips.
        frames: Number of frames of a clip.
        seed: Seed; equal seeds give equal clips of equal index.

    Returns:
        How many clips were rendered.

    Raises:
        ValueError: If an argument is out of range, or ``out`` holds clips with other parameters, or something else.
    """
    counts = dict(num_train=num_train, num_val=num_val, num_test=num_test)
    for name, value in (*counts.items(), ('frames', frames)):
        least = 0 if name in ('num_val', 'num_test') else 1
        if not least <= value <= _MOST:
            raise ValueError(f'`{name}` must be between {least} and {_MOST}, got {value!r}')
    if seed < 0:
        raise ValueError(f'`seed` must not be negative, got {seed!r}')
    parameters = dict(version=_VERSION, **counts, frames=frames, seed=seed)
    clips = [(split, index) for split, num in zip(_SPLITS, counts.values(), strict=True) for index in range(num)]
    with completed_folder(out, parameters, name='surreal_clips', what='clips') as root:
        if root is None:
            return 0
        _write_bodies(root)
        return render_missing(
            clips,
            lambda clip: clip_files(root, *clip),
            lambda clip: encode_clip(surreal_clip(*clip, frames=frames, seed=seed), *clip),
            unit='clips',
        )


def _write_bodies(root: Path) -> None:
    """Write the body models, one for each gender."""
    for gender, name in _BODY_FILES.items():
        buffer = io.BytesIO()
        arrays: dict[str, Any] = body_arrays(gender)
        np.savez_compressed(buffer, **arrays)
        write_files(dict(body=root / name), dict(body=buffer.getvalue()))
