"""Image files for programs that open them: those of the data set, or pictures of what the network sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.model import BaseModel

from mmfct.apis.find_corrupt_labels.data import TrainingInstances
from mmfct.apis.find_corrupt_labels.model import show_images
from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.utils.files import write_atomically

_SUFFIXES = frozenset(['.bmp', '.gif', '.jpeg', '.jpg', '.pgm', '.png', '.ppm', '.tif', '.tiff', '.webp'])
_MOST_PICTURES = 1000  # of a task


def image_files(
    ranking: Sequence[Suspects], instances: TrainingInstances, config: Config, model: BaseModel, top: int, folder: Path
) -> list[str | None]:
    """Return an image file of every instance, each another one; ``None`` where there is none.

    Frames of videos, arrays, images in memory, and images with several annotations have no file of their own. Of them,
    the flagged labels and the ``top`` first suspects of each task get a picture in ``images/``, at most 1,000.

    Args:
        ranking: Suspects of each task.
        instances: The I training instances.
        config: Config of the training.
        model: The model, for its data preprocessor.
        top: Number of suspects, besides the flagged ones.
        folder: Where ``images/`` goes.
    """
    counts = Counter(instances.paths)
    files: list[str | None] = [path if counts[path] == 1 and _is_image(path) else None for path in instances.paths]
    wanted: set[int] = set()
    for suspects in ranking:
        number = min(max(top, int(suspects.is_issue.sum())), _MOST_PICTURES)
        wanted.update(row for row in suspects.rows[:number].tolist() if files[row] is None)
    rows = np.array(sorted(wanted), np.int64)
    if len(rows):
        (folder / 'images').mkdir(exist_ok=True)
        images = show_images(model, instances.loader(config, rows))
        for row, image in zip(rows.tolist(), images, strict=True):
            files[row] = str(_write_picture(image, folder / f'images/{row:06d}.png'))
    missing = files.count(None)
    if missing:
        print_log(
            f'fiftyone.csv leaves out {missing} of {len(files)} instances, which are no image files and not among the '
            'suspects',
            'current',
        )
    return files


def _is_image(path: str) -> bool:
    return Path(path).suffix.lower() in _SUFFIXES and Path(path).is_file()


def _write_picture(image: np.ndarray, path: Path) -> Path:
    """Write an image, uint8 RGB of shape (H, W, 3), as a PNG file."""
    import cv2

    write_atomically(path, cv2.imencode('.png', np.ascontiguousarray(image[..., ::-1]))[1].tobytes())
    return path
