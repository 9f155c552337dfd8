"""Load CityScapes' label maps."""

from __future__ import annotations

import numpy as np

from mmfct.datasets.cityscapes_labels import CLASS_SETS, IGNORED, class_table
from mmfct.datasets.transforms.map_files import check_size, image_size, is_bare, read_npy, read_png
from mmfct.registry import TRANSFORMS


@TRANSFORMS.register_module()
class LoadLabelMap:
    """Load a label map: label ids from a PNG file, mapped to classes, or classes from a ``.npy`` file.

    Sets ``gt_seg_map``, uint8 of shape (H, W) with 255 where it is ignored, and adds it to ``seg_fields``. An image
    whose ``seg_map_path`` is None is 255 everywhere; one that does not come from a data set is passed on. Needs the
    image, which must have the size of the map.

    Args:
        num_classes: 19 or 7 classes; None for ``num_classes`` in the annotations of the data set.

    Raises:
        ValueError: If ``num_classes`` is another number.
    """

    def __init__(self, num_classes: int | None = None) -> None:
        if num_classes is not None and num_classes not in CLASS_SETS:
            raise ValueError(f'`num_classes` must be one of {CLASS_SETS} or None, got {num_classes!r}')
        self.num_classes = num_classes
        self._tables = {number: class_table(number) for number in CLASS_SETS}

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
        elif path.endswith('.npy'):
            label_map = self._read_classes(path, num_classes)
        else:
            label_map = self._read_label_ids(path, num_classes)
        check_size(label_map, results, path)
        results['gt_seg_map'] = label_map
        results.setdefault('seg_fields', []).append('gt_seg_map')
        return results

    def _read_label_ids(self, path: str, num_classes: int) -> np.ndarray:
        """Return the classes of a PNG file of label ids, uint8 of shape (H, W)."""
        label_ids = read_png(path)
        table = self._tables[num_classes]
        if label_ids.dtype != np.uint8 or label_ids.ndim != 2:
            raise ValueError(
                f'{path} must be a PNG image of 8 bits and one channel, got {label_ids.dtype} of shape '
                f'{label_ids.shape}'
            )
        if label_ids.max() >= len(table):
            raise ValueError(
                f'{path} must hold label ids from 0 to {len(table) - 1} (a file *_gtFine_labelIds.png, not '
                f'*_labelTrainIds.png), got {int(label_ids.max())}'
            )
        return table[label_ids]

    def _read_classes(self, path: str, num_classes: int) -> np.ndarray:
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
