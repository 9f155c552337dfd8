"""The files of a clip, in SURREAL's format."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.datasets.surreal_camera import HEIGHT, WIDTH

from .render import Clip

SUFFIXES = dict(depth='_depth.mat', segm='_segm.mat', info='_info.mat', video='.mp4')
_PER_SEQUENCE = 10
_STRIDES = (50, 30, 70)  # percent of overlap between the clips of run0, run1 and run2


def clip_place(split: str, index: int) -> tuple[str, str, int]:
    """Return the run, the name of the sequence and the number of a clip in it, from 1.

    Args:
        split: ``'train'``, ``'val'`` or ``'test'``.
        index: Number of the clip in its split, from 0.
    """
    sequence = index // _PER_SEQUENCE
    name = f'{("train", "val", "test").index(split) + 1:02d}_{sequence + 1:02d}'
    return f'run{sequence % len(_STRIDES)}', name, index % _PER_SEQUENCE + 1


def clip_files(root: Path, split: str, index: int) -> dict[str, Path]:
    """Paths of the files of a clip, by the keys of :data:`SUFFIXES`; the video, which makes it a clip, comes last."""
    run, sequence, number = clip_place(split, index)
    stem = root / 'cmu' / split / run / sequence / f'{sequence}_c{number:04d}'
    return {kind: stem.with_name(stem.name + suffix) for kind, suffix in SUFFIXES.items()}


def encode_clip(clip: Clip, split: str, index: int) -> dict[str, bytes]:
    """Contents of the files of a clip, by the keys of :func:`clip_files`."""
    run, sequence, number = clip_place(split, index)
    frames = len(clip.images)
    info: dict[str, Any] = dict(
        bg=_cell(['rendered.jpg'] * frames),
        camDist=np.array([[clip.camera[0]]], np.float32),
        camLoc=clip.camera.astype(np.float32)[:, None],
        clipNo=np.array([[float(number)]]),
        cloth=_cell(['rendered.jpg'] * frames),
        gender=np.full((frames, 1), clip.gender == 'male', np.uint8),
        joints2D=clip.joints2d.transpose(2, 1, 0).astype(np.float32),
        joints3D=clip.joints3d.transpose(2, 1, 0).astype(np.float32),
        light=np.tile(clip.light[:, None], frames).astype(np.float32),
        pose=clip.pose.T.astype(np.float32),
        sequence=f'{sequence}_c{number:04d}',
        shape=np.tile(clip.shape[:, None], frames).astype(np.float32),
        source='cmu',
        stride=np.array([[_STRIDES[int(run[-1])]]], np.uint8),
        zrot=clip.zrot.astype(np.float32)[:, None],
    )
    return dict(
        depth=_mat({f'depth_{frame}': depth for frame, depth in enumerate(clip.depth, 1)}),
        segm=_mat({f'segm_{frame}': segm for frame, segm in enumerate(clip.segm, 1)}),
        info=_mat(info),
        video=_mp4(clip.images),
    )


def _cell(names: Sequence[str]) -> np.ndarray:
    """Return a row of cells (1, T)."""
    cells = np.empty((1, len(names)), object)
    cells[0] = names
    return cells


def _mat(variables: dict[str, Any]) -> bytes:
    """Encode a MATLAB file of version 5, compressed, without the time that scipy puts into the header."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    savemat(buffer, variables, do_compression=True)
    header = b'MATLAB 5.0 MAT-file, rendered by mmfct'.ljust(116)
    return header + buffer.getvalue()[len(header) :]


def _mp4(images: np.ndarray) -> bytes:
    """Encode RGB frames (T, 240, 320, 3).

    Raises:
        RuntimeError: If OpenCV has no encoder.
    """
    import cv2

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'clip.mp4')  # OpenCV writes by name only
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), 30, (WIDTH, HEIGHT))
        if not writer.isOpened():
            raise RuntimeError('OpenCV cannot write mp4 files here; install opencv-python from the package index')
        for image in images:
            writer.write(np.ascontiguousarray(image[..., ::-1]))
        writer.release()
        return path.read_bytes()
