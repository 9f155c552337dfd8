"""Grocery Store: photographs of groceries taken in shops."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.datasets.memory_images import MemoryImages, image_annotation
from mmfct.registry import DATASETS

_SPLITS = ('train', 'val', 'test')
_SOURCE = 'the Grocery Store data set (in the folder `dataset` of the project marcusklasson/GroceryStoreDataset)'


@DATASETS.register_module()
class GroceryStore(MemoryImages):
    """Grocery Store photographs, read into memory from a tar file or from folders.

    Klasson, Zhang and Kjellstrom, "A Hierarchical Grocery Store Image Dataset with Visual and Semantic Labels", WACV
    2019: 81 fine and 43 coarse classes. ``data_root`` holds

    - ``train.txt``, ``val.txt``, ``test.txt`` with a line ``path, fine, coarse`` per image,
    - ``classes.csv`` with the names of the classes,
    - the images in ``images.tar`` (never unpacked to disk), in the folder ``images``, or in ``data_root`` itself as
      published.

    Images are BGR, ``uint8`` of shape (H, W, 3).

    Args:
        data_root: Folder of the data set.
        split: ``'train'``, ``'val'`` or ``'test'``, or a sequence of these.
        labels: ``'fine'`` or ``'coarse'``.
        image_size: Length of the shorter side, made by area interpolation; the aspect ratio is kept.
        **kwargs: Arguments of mmengine's ``BaseDataset``, see `MemoryImages`.

    Raises:
        ValueError: If an option is out of range, or a file is empty, malformed or damaged.
        FileNotFoundError: If a file of the data set or an image in a list is missing.
    """

    def __init__(
        self,
        data_root: str,
        *,
        split: str | Sequence[str] = 'train',
        labels: str = 'fine',
        image_size: int = 72,
        **kwargs: Any,
    ) -> None:
        splits = (split,) if isinstance(split, str) else tuple(split)
        if not splits or len(set(splits)) < len(splits) or not set(splits) <= set(_SPLITS):
            raise ValueError(f'`split` must be one of {_SPLITS} or a sequence of different ones, got {split!r}')
        if labels not in ('fine', 'coarse'):
            raise ValueError(f"`labels` must be 'fine' or 'coarse', got {labels!r}")
        self.splits = splits
        self.labels = labels
        super().__init__(image_size=image_size, data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Decode the images of the splits, in the order of their lists."""
        classes = self._read_class_names()
        self._metainfo.setdefault('classes', classes)
        labels: dict[str, int] = {}
        for split in self.splits:
            labels.update(self._read_split(split, num_classes=len(classes)))

        images = {path: self._read_photograph(data, path) for path, data in self._iter_images(labels)}
        missing = [path for path in labels if path not in images]
        if missing:
            raise FileNotFoundError(
                f'`data_root` must hold the images of {_SOURCE}; {len(missing)} of '
                f'{len(labels)} in the lists are missing, the first is {missing[0]}, '
                f'got {self.data_root!r}'
            )
        return [image_annotation(images[path], label, path) for path, label in labels.items()]

    def _read_lines(self, name: str, content: str) -> list[str]:
        """Return the lines of a text file of the data set that are not blank."""
        path = Path(self.data_root).expanduser() / name
        if not path.is_file():
            raise FileNotFoundError(f'`data_root` must hold {name}, {content}, of {_SOURCE}; {path} does not exist')
        return [line for line in path.read_text(encoding='utf-8').splitlines() if line.strip()]

    def _read_class_names(self) -> tuple[str, ...]:
        """Return the names of the fine or coarse classes in the order of their labels."""
        prefix = 'Coarse Class' if self.labels == 'coarse' else 'Class'
        names: dict[int, str] = {}
        for row in csv.DictReader(self._read_lines('classes.csv', 'the names of the classes')):
            try:
                names[int(row[f'{prefix} ID (int)'])] = row[f'{prefix} Name (str)']
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f'classes.csv in `data_root` must have the columns `{prefix} ID (int)` and '
                    f'`{prefix} Name (str)` in every row, got {row!r}'
                ) from error
        if not names or sorted(names) != list(range(len(names))):
            raise ValueError(
                f'classes.csv in `data_root` must number the classes from 0 without a gap, got {sorted(names)}'
            )
        return tuple(names[label] for label in range(len(names)))

    def _read_split(self, split: str, *, num_classes: int) -> dict[str, int]:
        """Return the label by path of the images of one split."""
        labels: dict[str, int] = {}
        for line in self._read_lines(f'{split}.txt', 'lines `path, fine, coarse`'):
            try:
                path, fine, coarse = (part.strip() for part in line.rsplit(',', 2))
                label = int(coarse if self.labels == 'coarse' else fine)
            except ValueError as error:
                raise ValueError(
                    f'{split}.txt in `data_root` must have lines `path, fine, coarse`, got {line!r}'
                ) from error
            if not 0 <= label < num_classes:
                raise ValueError(
                    f'{split}.txt in `data_root` must have {self.labels} labels from 0 to '
                    f'{num_classes - 1}, as classes.csv has, got {line!r}'
                )
            labels[path] = label
        if not labels:
            raise ValueError(f'{split}.txt in `data_root` must list images, got an empty file')
        return labels

    def _iter_images(self, wanted: dict[str, int]) -> Iterator[tuple[str, bytes]]:
        """Yield path and bytes of the wanted images that are there."""
        root = Path(self.data_root).expanduser()
        tar = root / 'images.tar'
        if tar.is_file():
            try:
                with tarfile.open(tar) as archive:
                    for member in archive:
                        path = member.name.removeprefix('./')
                        if path not in wanted or not member.isfile():
                            continue
                        if file := archive.extractfile(member):
                            yield path, file.read()
            except tarfile.ReadError as error:
                raise ValueError(f'{tar} is damaged ({error}); get the file again') from error
            return
        folder = root / 'images' if (root / 'images').is_dir() else root
        for path in wanted:
            if (folder / path).is_file():
                yield path, (folder / path).read_bytes()

    def _read_photograph(self, data: bytes, path: str) -> np.ndarray:
        """Turn an image file into BGR of shape (H, W, 3) with a shorter side of image_size."""
        import cv2

        img = self._decode(data, path, cv2.IMREAD_COLOR)
        height, width = img.shape[:2]
        scale = self.image_size / min(height, width)
        size = (round(width * scale), round(height * scale))
        return cv2.resize(img, size, interpolation=cv2.INTER_AREA)
