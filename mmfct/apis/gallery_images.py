"""The images of a gallery, by id."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from mmfct.datasets.positions import annotation, find_positions
from mmfct.registry import DATASETS
from mmfct.retrieval import fingerprint_json


class GalleryImages(Dataset):
    """Images after their pipeline, in the order of a data set.

    Args:
        config: Config of a data set of mmengine's form, wrapped or not; its pipeline ends in ``PackInputs``.

    Raises:
        ValueError: If it is empty, or two images have the same id.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        self._settings = _plain(config)
        self._dataset = dataset = DATASETS.build(config)
        positions = find_positions(dataset)
        if not len(dataset):
            raise ValueError('a gallery needs images, got an empty data set')
        sources = [positions.sources[source] for source in positions.source]
        infos = [annotation(source, index) for source, index in zip(sources, positions.index.tolist(), strict=True)]
        #: Path of each image relative to the root of its data, or its number where it has none.
        self.ids = [_id(info, source) for info, source in zip(infos, sources, strict=True)]
        if len(set(self.ids)) < len(self.ids):
            repeated = next(name for name in self.ids if self.ids.count(name) > 1)
            raise ValueError(f'every image of a gallery must have an id of its own, got {repeated!r} twice')
        self._paths = [str(info.get('img_path') or '') for info in infos]
        self._numbers = [info.get('sample_idx') for info in infos]
        labels = [info.get('gt_label') for info in infos]
        known = all(isinstance(label, (int, np.integer)) for label in labels)
        #: Labels, int64 of shape (N,), where every image has one.
        self.labels = np.array(labels, np.int64) if known else None

    def __len__(self) -> int:
        return len(self.ids)

    def fingerprint(self) -> str:
        """Hash ids, labels and settings: either may change where the others do not."""
        return fingerprint_json([self._settings, self.ids, None if self.labels is None else self.labels.tolist()])

    def __getitem__(self, index: int) -> Tensor:
        """Load an image, of shape (C, H, W).

        Raises:
            ValueError: If it is missing, damaged or rejected by the pipeline; names it.
        """
        name = self._paths[index] or self.ids[index]
        try:
            _check_whole(self._paths[index])
            item = self._dataset[index]
        except Exception as error:  # decoders and pipelines raise anything
            raise ValueError(f'image {name!r} cannot be loaded: {type(error).__name__}: {error}') from error
        number = getattr(item['data_samples'], 'sample_idx', self._numbers[index])
        if number != self._numbers[index]:
            raise ValueError(f'image {name!r} cannot be loaded: the pipeline rejects it')
        return item['inputs']


def _plain(value: object) -> Any:
    """Turn settings into JSON, without where the data lie."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items() if key != 'data_root'}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)


def _id(info: dict, source: Any) -> str:
    path = info.get('img_path')
    if not path:
        return str(info['sample_idx'])
    root = getattr(source, 'data_root', None)
    if root and Path(path).is_relative_to(root):
        return Path(path).relative_to(root).as_posix()
    return Path(path).as_posix()


def _check_whole(path: str) -> None:
    """Refuse a truncated file, of which OpenCV makes a picture with a grey rest."""
    if not Path(path).is_file():
        return  # no file, or none of this machine: what loads it says so
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            image.draft(image.mode, (1, 1))  # a JPEG file need not be decoded at full size for that
            image.load()
    except (UnidentifiedImageError, Image.DecompressionBombError):
        return  # for the loader to judge
