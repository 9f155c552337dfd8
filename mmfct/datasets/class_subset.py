"""Images of selected classes of any data set, with unchanged labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, force_full_init

from mmfct.datasets.chosen_items import ChosenItems
from mmfct.datasets.wrapped_dataset import wrapped_dataset
from mmfct.registry import DATASETS


@DATASETS.register_module()
class ClassSubset(ChosenItems):
    """Wrapper that keeps the images of selected classes, such as those that an old model was trained on.

    Labels, ``metainfo`` (with the names of *all* classes) and ``sample_idx`` are those of the wrapped data set, so an
    image has the same key in every subset. When a training pipeline rejects an image by returning None, another image
    of the kept classes takes its place.

    Args:
        dataset: Any mmengine data set or wrapper with one integer ``gt_label`` per image, or its config.
        num_classes: Keep labels 0 to ``num_classes - 1``. Give either this or ``classes``.
        classes: Labels, or names from ``metainfo['classes']``, to keep.
        lazy_init: Whether to select the images only on first use.

    Raises:
        ValueError: If not exactly one of ``num_classes`` and ``classes`` is given, a class is unknown or has no image,
            or the images do not have one integer label each.
        TypeError: If ``dataset`` is neither a config nor a data set.
    """

    def __init__(
        self,
        dataset: dict | BaseDataset,
        *,
        num_classes: int | None = None,
        classes: Sequence[int | str] | None = None,
        lazy_init: bool = False,
    ) -> None:
        if (num_classes is None) == (classes is None):
            raise ValueError(
                f'exactly one of `num_classes` and `classes` must be given, got {num_classes!r} and {classes!r}'
            )
        if num_classes is not None and num_classes < 1:
            raise ValueError(f'`num_classes` must be at least 1, got {num_classes!r}')
        if classes is not None and (isinstance(classes, str) or len(classes) == 0):
            raise ValueError(f'`classes` must be a non-empty sequence of labels or names, got {classes!r}')
        self.num_classes = num_classes
        self.classes = classes
        super().__init__(wrapped_dataset(dataset), lazy_init=lazy_init)

    def choose(self) -> np.ndarray:
        """Return the positions of the images of the kept classes."""
        labels = self._read_labels()
        kept = self._kept_labels(labels)
        empty = sorted(set(kept) - set(labels.tolist()))
        if empty:
            raise ValueError(f'`dataset` must have images of every class to keep, got none with label {empty}')
        indices = np.flatnonzero(np.isin(labels, kept))
        self._labels = labels[indices]
        return indices

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        dataset, index = self.dataset, int(self._indices[idx])
        if type(dataset).__getitem__ is not BaseDataset.__getitem__ or dataset.test_mode:
            return dataset[index]
        # mmengine would replace a rejected image with any other one, even of an excluded class.
        for _ in range(dataset.max_refetch + 1):
            data = dataset.prepare_data(index)
            if data is not None:
                return data
            index = int(np.random.choice(self._indices))
        raise RuntimeError(
            f'the pipeline of `dataset` returned None {dataset.max_refetch + 1} times in a row; '
            'check the images and the pipeline'
        )

    @force_full_init
    def get_gt_labels(self) -> np.ndarray:
        """Return the label of every image of the subset, int64 of shape (len(self),)."""
        return self._labels.copy()

    def _read_labels(self) -> np.ndarray:
        """Return the label of every image of the wrapped data set, int64 of shape (images,)."""
        dataset = self.dataset
        try:
            if hasattr(dataset, 'get_gt_labels'):
                labels = np.asarray(dataset.get_gt_labels())
            else:
                infos = map(dataset.get_data_info, range(len(dataset)))
                labels = np.asarray([info['gt_label'] for info in infos])
        except (KeyError, ValueError) as error:  # no labels at all, or several per image
            raise ValueError('`dataset` must have one integer `gt_label` per image') from error
        if labels.ndim != 1 or (labels.size and labels.dtype.kind not in 'iu'):
            raise ValueError(
                '`dataset` must have one integer `gt_label` per image, '
                f'got labels of shape {labels.shape} and type {labels.dtype}'
            )
        return labels.astype(np.int64)

    def _kept_labels(self, labels: np.ndarray) -> list[int]:
        """Return the labels to keep, given those of all images, of shape (images,)."""
        names = self.dataset.metainfo.get('classes') or ()
        total = len(names) or int(labels.max(initial=-1)) + 1
        if self.num_classes is not None:
            if self.num_classes > total:
                raise ValueError(
                    f'`num_classes` must be at most {total}, the number of classes of the data '
                    f'set, got {self.num_classes!r}'
                )
            return list(range(self.num_classes))
        asked = self.classes or ()
        label_of = {name: label for label, name in enumerate(names)}
        known = {*label_of, *range(total)}
        unknown = [name for name in asked if name not in known]
        if unknown:
            raise ValueError(
                f'`classes` must be labels from 0 to {total - 1} or names in the metainfo of the '
                f'data set, got {unknown!r}'
            )
        return [label_of[name] if isinstance(name, str) else int(name) for name in asked]
