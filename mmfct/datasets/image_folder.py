"""All images in a folder, with or without classes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mmengine.dataset import BaseDataset

from mmfct.registry import DATASETS

SUFFIXES = ('.bmp', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp')


@DATASETS.register_module()
class ImageFolder(BaseDataset):
    """Images of a folder and all folders below it, in the order of their names; hidden ones are left out.

    Args:
        data_root: The folder.
        labels_from_folders: Whether the first folder on the way to an image is its class; classes are numbered in
            the order of their names.
        pipeline: Transforms; the first one loads ``img_path``.
        test_mode: Whether a rejected image is an error, instead of being replaced by another one.

    Raises:
        FileNotFoundError: If there is no such folder, or no image in it.
        ValueError: If an image that needs a class lies in the folder itself.
    """

    def __init__(
        self,
        data_root: str,
        *,
        labels_from_folders: bool = False,
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = True,
    ) -> None:
        self.labels_from_folders = labels_from_folders
        super().__init__(data_root=data_root, pipeline=pipeline, test_mode=test_mode)

    def load_data_list(self) -> list[dict]:
        """List the images."""
        root = Path(self.data_root)
        if not root.is_dir():
            raise FileNotFoundError(f'`data_root` must be a folder of images, got {str(root)!r}, which is none')
        files = sorted(_images_below(root))
        if not files:
            raise FileNotFoundError(
                f'`data_root` must hold images ({" ".join(SUFFIXES)}), got none below {str(root)!r}'
            )
        data_list: list[dict] = [dict(img_path=str(root / file)) for file in files]
        if self.labels_from_folders:
            alone = [file for file in files if '/' not in file]
            if alone:
                raise ValueError(f'every image must lie in the folder of its class, got {alone[0]!r} in {str(root)!r}')
            classes = [file.partition('/')[0] for file in files]
            numbers = {name: number for number, name in enumerate(sorted(set(classes)))}
            for info, name in zip(data_list, classes, strict=True):
                info['gt_label'] = numbers[name]
        return data_list


def _images_below(root: Path) -> list[str]:
    """List image files relative to ``root``, with slashes."""
    found: list[str] = []
    visited = set()
    for folder, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        folders[:] = [name for name in folders if not name.startswith('.') and real not in visited]
        if real in visited:  # a link back up, or a second one to the same folder
            continue
        visited.add(real)
        below = Path(folder).relative_to(root)
        names = [name for name in files if name.lower().endswith(SUFFIXES) and not name.startswith('.')]
        found += [(below / name).as_posix() for name in names]
    return found
