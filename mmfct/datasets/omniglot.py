"""Omniglot: handwritten characters of many alphabets, each drawn by the same twenty people."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from mmengine.dataset import BaseDataset

from mmfct.registry import DATASETS

_NUM_DRAWERS = 20
# <archive>/<Alphabet>/characterNN/<id>_<drawer>.png
_MEMBER = re.compile(r'[^/]+/(?P<path>(?P<character>(?P<alphabet>[^/]+)/[^/]+)/\d+_(?P<drawer>\d+)\.png)')


@DATASETS.register_module()
class Omniglot(BaseDataset):
    """Omniglot characters, read straight from the published zip files into memory.

    Lake, Salakhutdinov and Tenenbaum, "Human-level concept learning through probabilistic program
    induction", Science 2015. Images are white ink on black, ``uint8`` of shape (image_size,
    image_size, 1), so pipelines need no loading transform. An alphabet that is in two archives
    (Greek and Latin are) is kept once.

    Class names are ``'<Alphabet>/characterNN'`` (or ``'<Alphabet>'``), sorted. They are taken from
    all files of the archives, so splits by drawer share their labels.

    Args:
        data_root: Folder with the zip files, or with the unpacked folders of the same names.
        drawers: First and last drawer to keep, both inclusive, of 1 to 20. Splits by drawer share
            no image.
        labels: ``'character'`` or ``'alphabet'``.
        image_size: Height and width of the images, made by area interpolation from 105 pixels.
        archives: Names of the archives to read, without ``.zip``.
        pipeline: Transforms, as configs or callables.
        test_mode: Whether a transform that returns None is an error; otherwise another image
            takes its place.
        metainfo: Overrides of the meta information.
        indices: Number of first images, or positions of the images, to keep.
        serialize_data: Whether to keep the images in one buffer that loader workers share.
        lazy_init: Whether to put off reading until the first use.
        max_refetch: How often to draw another image in place of None.

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
        pipeline: Sequence[dict | Callable] = (),
        test_mode: bool = False,
        metainfo: dict | None = None,
        indices: int | Sequence[int] | None = None,
        serialize_data: bool = True,
        lazy_init: bool = False,
        max_refetch: int = 1000,
    ) -> None:
        if len(drawers) != 2 or not 1 <= drawers[0] <= drawers[1] <= _NUM_DRAWERS:
            raise ValueError(
                f'`drawers` must be (first, last) with 1 <= first <= last <= {_NUM_DRAWERS}, got {drawers!r}'
            )
        if labels not in ('character', 'alphabet'):
            raise ValueError(f"`labels` must be 'character' or 'alphabet', got {labels!r}")
        if image_size < 1:
            raise ValueError(f'`image_size` must be at least 1, got {image_size!r}')
        if isinstance(archives, str) or not archives:
            raise ValueError(f'`archives` must be a non-empty sequence of names, got {archives!r}')
        self.drawers = tuple(drawers)
        self.labels = labels
        self.image_size = image_size
        self.archives = tuple(archives)
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
        size = (self.image_size, self.image_size)
        return [
            dict(
                img=images[name, path],
                gt_label=label_of[name],
                img_path=path,
                img_shape=size,
                ori_shape=size,
            )
            for name, path in sorted(images)
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the label of image ``idx`` as a list, as mmengine's samplers ask for it."""
        return [self.get_data_info(idx)['gt_label']]

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
                images[key] = self._decode(read(), member)

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

    def _decode(self, data: bytes, member: str) -> np.ndarray:
        """Turn a PNG file into white ink on black of shape (image_size, image_size, 1)."""
        import cv2

        buffer = np.frombuffer(data, np.uint8)
        img = cv2.imdecode(buffer, cv2.IMREAD_GRAYSCALE) if data else None
        if img is None:
            raise ValueError(
                f'{member} in `data_root` is not a readable image; get the file again, got {self.data_root!r}'
            )
        size = (self.image_size, self.image_size)
        return 255 - cv2.resize(img, size, interpolation=cv2.INTER_AREA)[..., None]
