"""Grocery Store: photographs of groceries taken in shops."""

from __future__ import annotations

import csv
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset

from mmfct.registry import DATASETS

_SPLITS = ('train', 'val', 'test')
_SOURCE = 'the Grocery Store data set (in the folder `dataset` of the project marcusklasson/GroceryStoreDataset)'


@DATASETS.register_module()
class GroceryStore(BaseDataset):
    """Grocery Store photographs, read into memory from a tar file or from folders.

    Klasson, Zhang and Kjellstrom, "A Hierarchical Grocery Store Image Dataset with Visual and
    Semantic Labels", WACV 2019: 81 fine and 43 coarse classes. ``data_root`` holds

    - ``train.txt``, ``val.txt``, ``test.txt`` with a line ``path, fine, coarse`` per image,
    - ``classes.csv`` with the names of the classes,
    - the images in ``images.tar`` (never unpacked to disk), in the folder ``images``, or in
      ``data_root`` itself as published.

    Images are BGR, ``uint8`` of shape (H, W, 3), so pipelines need no loading transform.

    Args:
        data_root: Folder of the data set.
        split: ``'train'``, ``'val'`` or ``'test'``, or a sequence of these.
        labels: ``'fine'`` or ``'coarse'``.
        image_size: Length of the shorter side, made by area interpolation; the aspect ratio is
            kept.
        pipeline: Transforms, as configs or callables.
        test_mode: Whether a transform that returns None is an error; otherwise another image
            takes its place.
        metainfo: Overrides of the meta information.
        indices: Number of first images, or positions of the images, to keep.
        serialize_data: Whether to keep the images in one buffer that loader workers share.
        lazy_init: Whether to put off reading until the first use.
        max_refetch: How often to draw another image in place of None.

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
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        splits = (split,) if isinstance(split, str) else tuple(split)
        if not splits or len(set(splits)) < len(splits) or not set(splits) <= set(_SPLITS):
            raise ValueError(f'`split` must be one of {_SPLITS} or a sequence of different ones, got {split!r}')
        if labels not in ('fine', 'coarse'):
            raise ValueError(f"`labels` must be 'fine' or 'coarse', got {labels!r}")
        if image_size < 1:
            raise ValueError(f'`image_size` must be at least 1, got {image_size!r}')
        self.splits = splits
        self.labels = labels
        self.image_size = image_size
        super().__init__(
            metainfo=metainfo,
            data_root=data_root,
            data_prefix={},
            indices=indices,
            serialize_data=serialize_data,
            pipeline=pipeline,
            test_mode=test_mode,
            lazy_init=lazy_init,
            max_refetch=max_refetch,
        )

    def load_data_list(self) -> list[dict]:
        """Decode the images of the splits, in the order of their lists."""
        classes = self._read_class_names()
        self._metainfo.setdefault('classes', classes)
        labels: dict[str, int] = {}
        for split in self.splits:
            labels.update(self._read_split(split, num_classes=len(classes)))

        images = {path: self._decode(data, path) for path, data in self._iter_images(labels)}
        missing = [path for path in labels if path not in images]
        if missing:
            raise FileNotFoundError(
                f'`data_root` must hold the images of {_SOURCE}; {len(missing)} of '
                f'{len(labels)} in the lists are missing, the first is {missing[0]}, '
                f'got {self.data_root!r}'
            )
        return [
            dict(
                img=images[path],
                gt_label=label,
                img_path=path,
                img_shape=images[path].shape[:2],
                ori_shape=images[path].shape[:2],
            )
            for path, label in labels.items()
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of image ``idx`` as a list, as mmengine's samplers ask for it."""
        return [self.get_data_info(idx)['gt_label']]

    def _open_text(self, name: str, content: str) -> list[str]:
        """Return the lines of a text file of the data set that are not blank."""
        path = Path(self.data_root).expanduser() / name
        if not path.is_file():
            raise FileNotFoundError(f'`data_root` must hold {name}, {content}, of {_SOURCE}; {path} does not exist')
        return [line for line in path.read_text(encoding='utf-8').splitlines() if line.strip()]

    def _read_class_names(self) -> tuple[str, ...]:
        """Return the names of the fine or coarse classes in the order of their labels."""
        prefix = 'Coarse Class' if self.labels == 'coarse' else 'Class'
        names: dict[int, str] = {}
        for row in csv.DictReader(self._open_text('classes.csv', 'the names of the classes')):
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
        for line in self._open_text(f'{split}.txt', 'lines `path, fine, coarse`'):
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

    def _decode(self, data: bytes, path: str) -> np.ndarray:
        """Turn an image file into BGR of shape (H, W, 3) with a shorter side of image_size."""
        import cv2

        img = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if data else None
        if img is None:
            raise ValueError(
                f'{path} in `data_root` is not a readable image; get the file again, got {self.data_root!r}'
            )
        height, width = img.shape[:2]
        scale = self.image_size / min(height, width)
        size = (round(width * scale), round(height * scale))
        return cv2.resize(img, size, interpolation=cv2.INTER_AREA)
