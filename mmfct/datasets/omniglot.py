"""Omniglot: handwritten characters of many alphabets, each drawn by the same twenty people."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.datasets.memory_images import MemoryImages, image_annotation
from mmfct.registry import DATASETS

_NUM_DRAWERS = 20
# <archive>/<Alphabet>/characterNN/<id>_<drawer>.png
_MEMBER = re.compile(r'[^/]+/(?P<path>(?P<character>(?P<alphabet>[^/]+)/[^/]+)/\d+_(?P<drawer>\d+)\.png)')


@DATASETS.register_module()
class Omniglot(MemoryImages):
    """Omniglot characters, read straight from the published zip files into memory.

    Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic program induction", Science
    2015. Images are white ink on black, ``uint8`` of shape (image_size, image_size, 1). An alphabet that is in two
    archives (Greek and Latin are) is kept once.

    Class names are ``'<Alphabet>/characterNN'`` (or ``'<Alphabet>'``), sorted. They are taken from all files of the
    archives, so splits by drawer share their labels.

    Args:
        data_root: Folder with the zip files, or with the unpacked folders of the same names.
        drawers: First and last drawer to keep, both inclusive, of 1 to 20. Splits by drawer share no image.
        labels: ``'character'`` or ``'alphabet'``.
        image_size: Height and width of the images, made by area interpolation from 105 pixels.
        archives: Names of the archives to read, without ``.zip``.
        **kwargs: Arguments of mmengine's ``BaseDataset``, see `MemoryImages`.

    Raises:
        ValueError: If an option is out of range, a file is damaged, or no image is left.
        FileNotFoundError: If an archive is neither there as a zip file nor as a folder.
    """

    def __init__(
        self,
        data_root: str,
        *,
        drawers: Sequence[int] = (1, 14),
        labels: str = 'character',
        image_size: int = 32,
        archives: Sequence[str] = ('images_background_small1', 'images_background_small2'),
        **kwargs: Any,
    ) -> None:
        if len(drawers) != 2 or not 1 <= drawers[0] <= drawers[1] <= _NUM_DRAWERS:
            raise ValueError(
                f'`drawers` must be (first, last) with 1 <= first <= last <= {_NUM_DRAWERS}, got {drawers!r}'
            )
        if labels not in ('character', 'alphabet'):
            raise ValueError(f"`labels` must be 'character' or 'alphabet', got {labels!r}")
        if isinstance(archives, str) or not archives:
            raise ValueError(f'`archives` must be a non-empty sequence of names, got {archives!r}')
        self.drawers = tuple(drawers)
        self.labels = labels
        self.archives = tuple(archives)
        super().__init__(image_size=image_size, data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Decode the images of the kept drawers, sorted by class and file name."""
        names: set[str] = set()
        images: dict[tuple[str, str], np.ndarray] = {}
        for archive in self.archives:
            try:
                self._load_archive(archive, names, images)
            except (zipfile.BadZipFile, zlib.error) as error:
                raise ValueError(
                    f'{archive}.zip in `data_root` is damaged ({error}); get the file again, got {self.data_root!r}'
                ) from error
        if not images:
            raise ValueError(
                f'`data_root` must have images of drawers {self.drawers} in '
                f'{", ".join(self.archives)}, got {self.data_root!r}'
            )

        classes = sorted(names)
        self._metainfo.setdefault('classes', tuple(classes))
        label_of = {name: label for label, name in enumerate(classes)}
        return [image_annotation(images[name, path], label_of[name], path) for name, path in sorted(images)]

    def _load_archive(self, archive: str, names: set[str], images: dict[tuple[str, str], np.ndarray]) -> None:
        """Add the class names and the kept images, by (class name, path), of one archive."""
        first, last = self.drawers
        for member, read in self._iter_members(archive):
            match = _MEMBER.fullmatch(member)
            if match is None:
                continue
            name = match[self.labels]
            names.add(name)
            key = (name, match['path'])
            if first <= int(match['drawer']) <= last and key not in images:
                images[key] = self._read_drawing(read(), member)

    def _iter_members(self, archive: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
        """Yield the name of every file of an archive together with a function that reads it."""
        root = Path(self.data_root).expanduser()
        path, folder = root / f'{archive}.zip', root / archive
        if path.is_file():
            with zipfile.ZipFile(path) as file:
                for member in file.namelist():
                    yield member, partial(file.read, member)
        elif folder.is_dir():
            for image in folder.rglob('*.png'):
                yield image.relative_to(root).as_posix(), image.read_bytes
        else:
            raise FileNotFoundError(
                f'`data_root` must hold {archive}.zip, or the unpacked folder {archive}, of the '
                'Omniglot data set (in the folder `python` of the project brendenlake/omniglot); '
                f'{path} does not exist'
            )

    def _read_drawing(self, data: bytes, member: str) -> np.ndarray:
        """Turn a PNG file into white ink on black of shape (image_size, image_size, 1)."""
        import cv2

        img = self._decode(data, member, cv2.IMREAD_GRAYSCALE)
        size = (self.image_size, self.image_size)
        return 255 - cv2.resize(img, size, interpolation=cv2.INTER_AREA)[..., None]
