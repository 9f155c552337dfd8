"""Read the files of SURREAL's clips, with errors that name the file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mmfct.datasets.surreal_camera import HEIGHT, WIDTH

SUFFIXES = ('.mp4', '_depth.mat', '_segm.mat', '_info.mat')
GENDERS = ('female', 'male')
# Variables of the info file and their shapes, before the axis of the T frames, which is left out if T is 1.
_INFO = dict(pose=(72,), shape=(10,), joints2D=(2, 24), joints3D=(3, 24), zrot=(), gender=())


class ClipInfo(NamedTuple):
    """Content of the info file of T frames.

    Args:
        pose: Rotation vectors (T, 72).
        shape: Shapes (T, 10).
        joints2d: Pixels (T, 24, 2), column and row from 0.
        joints3d: Joints of the world (T, 24, 3), in metres.
        zrot: Angles of the body about the vertical axis (T,).
        gender: 0 for female, 1 for male, (T,).
        camera: Position of the camera (3,).
    """

    pose: np.ndarray
    shape: np.ndarray
    joints2d: np.ndarray
    joints3d: np.ndarray
    zrot: np.ndarray
    gender: np.ndarray
    camera: np.ndarray


def read_mat(path: str | Path, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Read variables of a MATLAB file.

    Args:
        path: The file.
        names: Names of the variables.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a complete MATLAB file, or a variable is missing.
    """
    from scipy.io import loadmat

    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        found = loadmat(path, variable_names=names)
    except Exception as error:  # scipy may raise anything
        raise ValueError(f'{path} is not a whole MATLAB file ({error}); get the file again') from error
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(f'{path} must have the variables {names}, got none named {missing}')
    return {name: found[name] for name in names}


@functools.lru_cache(maxsize=256)
def read_info(path: str) -> ClipInfo:
    """Read an info file; recent ones are cached, since every frame of a clip needs it.

    Args:
        path: The file.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a complete MATLAB file, or a variable is missing, has another shape or is not finite.
    """
    found = read_mat(path, (*_INFO, 'camLoc'))
    odd = [name for name, values in found.items() if values.dtype.kind not in 'iuf' or not np.isfinite(values).all()]
    if odd:
        raise ValueError(f'{path} must hold finite numbers, got something else in {odd}')
    frames = found['zrot'].size
    arrays = []
    for name, shape in _INFO.items():
        if found[name].size != np.prod(shape, dtype=int) * frames or found[name].shape[: len(shape)] != shape:
            raise ValueError(
                f'{path} must have {name!r} of shape {(*shape, frames)}, for as many frames as `zrot` has, '
                f'got {found[name].shape}'
            )
        # (..., T) -> (T, ..., ), with points (T, 24, 2) rather than (T, 2, 24)
        arrays.append(np.ascontiguousarray(found[name].reshape(*shape, frames).T))
    if found['camLoc'].size != 3:
        raise ValueError(f"{path} must have 'camLoc' of shape (3, 1), got {found['camLoc'].shape}")
    pose, shapes, joints2d, joints3d, zrot, gender = arrays
    if not np.isin(gender, (0, 1)).all():
        raise ValueError(f"{path} must have 'gender' 0 or 1, got {np.unique(gender).tolist()}")
    return ClipInfo(pose, shapes, joints2d, joints3d, zrot, gender, found['camLoc'].ravel())


def read_map(path: str, kind: str, frame: int) -> np.ndarray:
    """Read the map of a frame.

    Args:
        path: The file with the maps of the clip.
        kind: ``'depth'`` or ``'segm'``.
        frame: Number of the frame, from 1.

    Returns:
        Array of shape (240, 320): metres, float32, or labels, uint8.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a complete MATLAB file, or the frame is missing or has another size.
    """
    name = f'{kind}_{frame}'
    values = read_mat(path, (name,))[name]
    if values.shape != (HEIGHT, WIDTH):
        raise ValueError(f'{path} must have {name!r} of shape {(HEIGHT, WIDTH)}, got {values.shape}')
    return values


def read_frame(path: str, frame: int) -> np.ndarray:
    """Decode a frame of a video.

    Args:
        path: The video.
        frame: Number of the frame, from 1.

    Returns:
        BGR image, uint8 of shape (240, 320, 3).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not a video, ends before the frame, or has frames of another size.
    """
    import cv2

    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist')
    video = cv2.VideoCapture(path)
    try:
        video.set(cv2.CAP_PROP_POS_FRAMES, frame - 1)
        whole, image = video.read()
    finally:
        video.release()
    if not whole:
        raise ValueError(f'{path} is no readable video, or ends before frame {frame}; get the file again')
    if image.shape != (HEIGHT, WIDTH, 3):
        raise ValueError(f'{path} must have frames of shape {(HEIGHT, WIDTH, 3)}, got {image.shape}')
    return image
