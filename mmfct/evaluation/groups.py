"""Groups of images, such as cameras, that a search does not mix: read, and added to embedding sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from mmfct.evaluation.data_samples import Roles


def read_groups(groups: str | Path | Sequence[int] | Sequence[str]) -> np.ndarray:
    """Read the group of each image.

    Args:
        groups: Integers or strings in the order of the data set, or a file of them: ``.npy``, or text with a line for
            each image.

    Returns:
        Integers or strings of shape (N,).

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If they are something else.
    """
    if isinstance(groups, str | Path):
        if not Path(groups).is_file():
            raise FileNotFoundError(
                f'`groups` must be a file or a list of the group of each image, got {str(groups)!r}'
            )
        if Path(groups).suffix == '.npy':
            values = np.load(groups, allow_pickle=False)
        else:
            values = np.array(Path(groups).read_text(encoding='utf-8').split('\n'))
            values = values[:-1] if len(values) and not values[-1] else values
    else:
        values = np.asarray(groups)
    if values.ndim != 1 or not len(values) or values.dtype.kind not in 'iuU':
        raise ValueError(
            f'`groups` must hold an integer or string for each image, got {values.dtype} of shape {values.shape}'
        )
    return values


def with_groups(roles: Roles, groups: np.ndarray) -> Roles:
    """Give each image its group.

    Args:
        roles: Sets whose ids are numbers of images in the data set.
        groups: Groups by number, of shape (N,).

    Raises:
        ValueError: If an image has no group.
    """
    ids = torch.as_tensor(next(iter(roles.values())).ids).cpu().numpy()
    if ids.min() < 0 or ids.max() >= len(groups):
        raise ValueError(
            f'`groups` must have an entry for each `sample_idx`, from {ids.min()} to {ids.max()}, got {len(groups)}'
        )
    return {role: replace(items, groups=groups[ids]) for role, items in roles.items()}
