"""What names of image files say: whether they can be ids, and the class of a file by its folder."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence

import numpy as np
from mmengine.logging import print_log


def check_unicode(name: str) -> None:
    """Refuse the name of a file with bytes that are no text: no table, JSON or Parquet can hold it.

    Raises:
        ValueError: If it has such bytes.
    """
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f'the name of an image must be valid Unicode, got {name!r}; rename the file, or leave it out '
            '(`--skip-broken` of `mmfct extract`)'
        ) from error


def labels_of_folders(names: Sequence[str]) -> tuple[np.ndarray, dict[int, str]]:
    """Return the labels of files by their first folder, int64 of shape (N,), and the names of these labels.

    Args:
        names: Paths of the files relative to the folder of all classes.

    Raises:
        ValueError: If no file lies in a folder, or two names have the same number.
    """
    folders = [name.split('/')[0] if '/' in name else None for name in names]
    numbers = {folder: folder_label(folder) for folder in set(folders) if folder is not None}
    if not numbers:
        raise ValueError(f'`labels_from_folders` needs a folder for each class, got files alone, such as {names[0]!r}')
    if len(set(numbers.values())) < len(numbers):
        raise ValueError(f'two of {len(numbers)} folders have the same label by chance: rename one of them')
    without = folders.count(None)
    if without:
        print_log(
            f'{without} images lie in no folder of a class and have the label -1, unknown', 'current', logging.WARNING
        )
    labels = np.array([-1 if folder is None else numbers[folder] for folder in folders], np.int64)
    return labels, {number: folder for folder, number in sorted(numbers.items())}


def folder_label(name: str) -> int:
    """Return the label of a folder, a number of 48 bits that depends on its name alone.

    So folders of one name are one class in every gallery, whatever other classes it has; a new class changes no label.
    """
    return int.from_bytes(hashlib.sha256(name.encode(errors='surrogatepass')).digest()[:6], 'big')
