"""Load CityScapes' label maps."""

from __future__ import annotations

import numpy as np

from mmfct.datasets.cityscapes_labels import IGNORED
from mmfct.datasets.label_errors import MapLoader, wrong_map
from mmfct.datasets.label_ids import UNKNOWN, LabelIds, check_label_ids, id_table
from mmfct.datasets.transforms.map_files import check_size, image_size, is_bare, read_npy, read_png
from mmfct.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadLabelMap(MapLoader):
    """Load a label map: ids from a PNG file, mapped to classes, or classes from a ``.npy`` file.

    Sets ``gt_seg_map``, uint8 of shape (H, W) with 255 where it is ignored, and adds it to ``seg_fields``. An image
    whose ``seg_map_path`` is None is 255 everywhere; one that does not come from a data set is passed on. Needs the
    image, which must have the size of the map.

    For labels of your own, say what the ids of the PNG files are::

        dict(type='mmfct.CityscapesMultiTask', ..., num_classes=3, label_ids={0: 255, 40: 0, 80: 1, 120: 2})

    Args:
        num_classes: Number of classes, for CityScapes' label ids 19 or 7; None for ``num_classes`` in the annotations
            of the data set.
        label_ids: ``'cityscapes'`` for CityScapes' label ids (files ``*_labelIds.png``); ``'classes'`` for classes
            from 0 to ``num_classes - 1``, as the train ids are, with 255 where ignored; or a dict of class, or 255, by
            id. None for ``label_ids`` in the annotations of the data set, else CityScapes' label ids. A ``.npy`` file
            always holds classes.

    Raises:
        ValueError: If an option is out of range.
    """

    error_tasks = ('seg', 'parts')

    def __init__(self, num_classes: int | None = None, label_ids: LabelIds = None) -> None:
        check_label_ids(label_ids, UNKNOWN - 1 if num_classes is None else num_classes)
        self.num_classes = num_classes
        self.label_ids = label_ids

    def __call__(self, results: dict) -> dict:
        """Load the label map.

        Args:
            results: Annotation of the image, and the image.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, differs in size from the image, or has a label out of range; or if the
                number of classes is unknown.
        """
        if is_bare(results, 'seg_map_path'):
            return results
        num_classes = self.num_classes or results.get('num_classes')
        if num_classes is None:
            raise ValueError('`num_classes` must be given where the data set does not say it, got None')
        path = results['seg_map_path']
        if path is None:
            label_map = np.full(image_size(results), IGNORED, np.uint8)
        else:
            label_ids = results.get('label_ids') if self.label_ids is None else self.label_ids
            label_map = read_label_map(path, num_classes, label_ids)
            for task in self.error_tasks:
                label_map = wrong_map(
                    results,
                    task,
                    label_map,
                    lambda donor: read_label_map(donor['seg_map_path'], num_classes, label_ids),
                )
        check_size(label_map, results, path)
        results['gt_seg_map'] = label_map
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results


def read_label_map(path: str, num_classes: int, label_ids: LabelIds) -> np.ndarray:
    """Return the classes in a file of a label map, uint8 of shape (H, W), 255 where ignored.

    Args:
        path: File of ids (PNG), or of classes (``.npy``).
        num_classes: Number of classes.
        label_ids: What the ids are, see `id_table`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged, or has a label out of range.
    """
    if path.endswith('.npy'):
        return _read_classes(path, num_classes)
    return _read_label_ids(path, id_table(label_ids, num_classes))


def _read_label_ids(path: str, table: np.ndarray) -> np.ndarray:
    """Return the classes of a PNG file of ids, uint8 of shape (H, W); ``table`` has the class of every id."""
    label_ids = read_png(path)
    if label_ids.dtype != np.uint8 or label_ids.ndim != 2:
        raise ValueError(
            f'{path} must be a PNG image of 8 bits and one channel, got {label_ids.dtype} of shape {label_ids.shape}; '
            'if it has colours, turn them into ids first'
        )
    label_map = table[label_ids]
    unknown = label_ids[label_map == UNKNOWN]
    if len(unknown):
        known = np.flatnonzero(table != UNKNOWN)
        text = f'from 0 to {known[-1]}' if len(known) == known[-1] + 1 else f'out of {known.tolist()}'
        raise ValueError(
            f'{path} must hold label ids {text}, got {int(unknown.max())}; if it holds classes (as a file '
            '*_labelTrainIds.png does) or ids of your own, say so with `label_ids`'
        )
    return label_map


def _read_classes(path: str, num_classes: int) -> np.ndarray:
    """Return the classes of a ``.npy`` file, uint8 of shape (H, W)."""
    classes = read_npy(path)
    ignored = (classes == -1) | (classes == IGNORED)
    wrong = ~ignored & ((classes < 0) | (classes >= num_classes) | (classes != np.rint(classes)))
    if wrong.any():
        raise ValueError(
            f'{path} must hold classes from 0 to {num_classes - 1}, or -1 where ignored, '
            f'got {classes[wrong][0].item()!r}'
        )
    return np.where(ignored, IGNORED, classes).astype(np.uint8)
