"""Check that the files of a SURREAL clip are complete and consistent."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mmfct.datasets.surreal_camera import HEIGHT, WIDTH
from mmfct.datasets.surreal_files import GENDERS, read_frame, read_info


def check_clip(stem: str) -> tuple[str, list[int], int]:
    """Check the files of a clip against each other.

    Args:
        stem: Path of its files without their suffixes.

    Returns:
        Gender, numbers from 1 of the frames that show a person, and the number of all frames.

    Raises:
        FileNotFoundError: If a file is missing.
        ValueError: If a file is broken, or the numbers of frames differ.
    """
    info = read_info.__wrapped__(stem + '_info.mat')  # without the cache: each is read once here
    count = len(info.zrot)
    for kind in ('depth', 'segm'):
        found = _count_maps(f'{stem}_{kind}.mat', kind)
        if found != count:
            raise ValueError(f'{stem}_{kind}.mat has {found} frames, {stem}_info.mat {count}')
    frames = _count_frames(stem + '.mp4')
    if frames != count:
        raise ValueError(f'{stem}.mp4 has {frames} frames, {stem}_info.mat {count}')
    read_frame(stem + '.mp4', count)  # the header of a truncated video counts more frames than it has
    if len(np.unique(info.gender)) != 1:
        raise ValueError(f'{stem}_info.mat must have one gender in all frames, got {np.unique(info.gender).tolist()}')
    seen = ((info.joints2d >= 0) & (info.joints2d < (WIDTH, HEIGHT))).all(-1).any(-1)
    seen &= np.ptp(info.joints2d, axis=1).max(-1) > 0  # joints that were not computed all lie at one point
    return GENDERS[int(info.gender.flat[0])], (np.flatnonzero(seen) + 1).tolist(), count


def _count_maps(path: str, kind: str) -> int:
    """Count the maps in a file by its table of contents."""
    from scipy.io import whosmat

    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        found = {name for name, *_ in whosmat(path)}
    except Exception as error:  # scipy may raise anything
        raise ValueError(f'{path} is not a whole MATLAB file ({error}); get the file again') from error
    count = sum(bool(re.fullmatch(rf'{kind}_\d+', name)) for name in found)
    missing = next((n for n in range(1, count + 1) if f'{kind}_{n}' not in found), None)
    if missing:
        raise ValueError(f'{path} must have frames without a gap, got no {kind}_{missing}')
    return count


def _count_frames(path: str) -> int:
    """Return the number of frames in the header of a video."""
    import cv2

    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist')
    video = cv2.VideoCapture(path)
    try:
        if not video.isOpened():
            raise ValueError(f'{path} is no readable video; get the file again')
        return int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        video.release()
