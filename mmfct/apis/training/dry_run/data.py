"""What is in a data set: images, classes, labels, and whether its first and last image can be read."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.registry import DefaultScope

from mmfct.apis.training.checks import DOWNLOADED
from mmfct.datasets.image_pass import seeded
from mmfct.datasets.wrapped_dataset import ready_dataset
from mmfct.utils.dataset_configs import dataset_chains, type_name

_TIMED = 8  # images
_NAMED = 5  # classes in a message


@dataclass(frozen=True)
class Data:
    """What was found in a data set.

    Args:
        images: Their number.
        classes: Number of classes that the data set names, or that its labels have; 0 if it has neither.
        unlabelled: Images without a class; 0 where images have no class at all, but label maps.
        empty: Classes without an image.
        spare: Outputs of the model that stand for no class.
        seconds: Seconds to load an image in one process.
    """

    images: int
    classes: int
    unlabelled: int
    empty: list[str]
    spare: int
    seconds: float

    def __str__(self) -> str:
        classes = f' of {self.classes:,} classes' if self.classes else ''
        unlabelled = f', {self.unlabelled:,} without a label' if self.unlabelled else ''
        return f'{self.images:,} images{classes}{unlabelled}, {1000 * self.seconds:.3g} ms to load one'


def look_at_data(config: Config, loader: str) -> Data:
    """Count the images and labels of a data set, and read some images.

    Args:
        config: Config of a stage.
        loader: Its data loader. Of a table of embeddings, the images are looked at.

    Raises:
        FileNotFoundError: If files are missing.
        ValueError: If there is no image, an image cannot be read, or the model has no output for a label.
    """
    settings = config[loader].dataset
    if type_name(settings) == 'EmbeddingTable':
        settings = settings['dataset']
    with DefaultScope.overwrite_default_scope(config.get('default_scope')), seeded(0):
        images = ready_dataset(_not_downloaded(settings))
        number = len(images)
        if number == 0:
            raise ValueError(f'`{loader}` must have images, got none; check `data_root`, `data_prefix` and `ann_file`')
        for index in (0, number - 1):
            _read(images, index)
        started = time.perf_counter()
        for index in np.linspace(0, number - 1, min(_TIMED, number), dtype=np.int64):
            _read(images, int(index))
        seconds = (time.perf_counter() - started) / min(_TIMED, number)
    counts, unlabelled = _count_labels(images)
    outputs = (config.model.get('head') or {}).get('num_classes') if loader == 'train_dataloader' else None
    _check_outputs(counts, outputs)
    names = list(map(str, getattr(images, 'metainfo', {}).get('classes') or ()))
    # A `ClassSubset` leaves classes out on purpose, and says itself which of the others have no image.
    chosen = any(type_name(part) == 'ClassSubset' for chain in dataset_chains(settings) for part in chain)
    empty = [] if chosen else [name for label, name in enumerate(names) if counts and label not in counts]
    spare = 0
    if outputs is not None and counts and not chosen:
        spare = max(outputs - max(len(names), max(counts) + 1), 0)
    return Data(number, len(counts) or len(names), unlabelled, empty, spare, seconds)


def describe_empty(data: Data, loader: str) -> str:
    """Name the classes without an image."""
    more = f' and {len(data.empty) - _NAMED} more' if len(data.empty) > _NAMED else ''
    return f'`{loader}` has no image of {", ".join(data.empty[:_NAMED])}{more}'


def _not_downloaded(settings: dict) -> dict:
    """Copy the config of a data set so that one of the hosts that is missing fails instead of being downloaded."""
    settings = copy.deepcopy(dict(settings))
    for chain in dataset_chains(settings):
        if type_name(chain[-1]) in DOWNLOADED:
            chain[-1]['download'] = False
    return settings


def _read(images: Any, index: int) -> None:
    try:
        images[index]
    except Exception as error:  # of any transform, OpenCV or file client
        path = images.get_data_info(index).get('img_path') if hasattr(images, 'get_data_info') else None
        what = f'image {index} of {len(images)}' + (f', {str(path)!r},' if path else '')
        raise ValueError(
            f'{what} cannot be read: {type(error).__name__}: {error}; get the file again, or check the pipeline'
        ) from error


def _count_labels(images: Any) -> tuple[Counter[int], int]:
    """Return the number of images by class, and of those without; both empty if no annotation has a class."""
    labels = list(_labels(images))
    counts = Counter(int(label) for found in labels for label in found)
    return counts, sum(len(found) == 0 for found in labels) if counts else 0


def _labels(images: Any) -> Iterator[np.ndarray]:
    """Yield the classes of every image; -1 counts as none."""
    for index in range(len(images)) if hasattr(images, 'get_data_info') else ():
        label = images.get_data_info(index).get('gt_label')
        found = np.empty(0, np.int64) if label is None else np.atleast_1d(np.asarray(label, dtype=np.int64))
        yield found[found >= 0]


def _check_outputs(counts: Counter[int], outputs: int | None) -> None:
    if outputs is not None and counts and max(counts) >= outputs:
        raise ValueError(
            f'`model.head.num_classes` must be more than the largest label, {max(counts)}, got {outputs!r}; set it '
            f'with `--cfg-options num_classes={max(counts) + 1}` if the config has that variable'
        )
