"""Rendered clips in the format of SURREAL: data for human pose, depth and body parts without a download."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.utils.files import write_atomically

from .rendered_folder import is_complete, write_files
from .surreal_clip.files import clip_files, encode_clip
from .surreal_clip.mesh import body_arrays
from .surreal_clip.render import Clip, render_clip

# Grows whenever the same parameters give other files.
_VERSION = 1
_MARKER = 'surreal_clips.json'
_STARTED = 'surreal_clips.started.json'
_SPLITS = ('train', 'val', 'test')
_MOST = 100_000
BODY_FILES = dict(female='smpl/SMPL_FEMALE.npz', male='smpl/SMPL_MALE.npz')


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

    ``surreal_clips.json`` is written last. Where it is, with the same parameters, nothing is done. Several processes
    may write the same folder at the same time.

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
    root = Path(out).expanduser()
    parameters = dict(version=_VERSION, **counts, frames=frames, seed=seed)
    if is_complete(root, parameters, marker=_MARKER, started=_STARTED, what='clips'):
        return 0
    content = json.dumps(parameters, indent=4).encode()
    root.mkdir(parents=True, exist_ok=True)
    write_atomically(root / _STARTED, content)
    for gender, name in BODY_FILES.items():
        buffer = io.BytesIO()
        arrays: dict[str, Any] = body_arrays(gender)
        np.savez_compressed(buffer, **arrays)
        write_files(dict(body=root / name), dict(body=buffer.getvalue()))
    clips = [(split, index) for split, num in zip(_SPLITS, counts.values(), strict=True) for index in range(num)]
    missing = [clip for clip in clips if not all(path.is_file() for path in clip_files(root, *clip).values())]
    _render(root, missing, frames, seed)
    # The marker must not survive a crash of the machine that the clips do not.
    os.sync()
    write_atomically(root / _MARKER, content)
    (root / _STARTED).unlink(missing_ok=True)
    return len(missing)


def _render(root: Path, clips: list[tuple[str, int]], frames: int, seed: int) -> None:
    """Write the files of clips, pairs (split, index), with a progress bar."""
    from mmengine.utils import track_iter_progress

    # A bar that cannot go back to the start of its line would be a line per clip.
    shown = track_iter_progress(clips, file=sys.stderr) if clips and sys.stderr.isatty() else clips
    for split, index in shown:
        clip = surreal_clip(split, index, frames=frames, seed=seed)
        write_files(clip_files(root, split, index), encode_clip(clip, split, index))
