"""CityScapes with a label map and a depth map per image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from mmfct.datasets.cityscapes_files import LAYOUTS, check_for_train_ids, find_files
from mmfct.datasets.cityscapes_labels import IGNORED
from mmfct.datasets.label_ids import LabelIds, check_label_ids, default_classes
from mmfct.datasets.transforms.load_label_map import read_label_map
from mmfct.registry import DATASETS

_FIELDS = dict(seg='seg_map_path', depth='depth_map_path')


@DATASETS.register_module()
class CityscapesMultiTask(BaseDataset):
    """CityScapes for semantic segmentation and depth.

    Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016. This data set
    collects file names; ``mmfct.LoadLabelMap`` and ``mmfct.LoadDisparity`` read the maps. An image has ``img_path``,
    ``seg_map_path``, ``depth_map_path`` and ``camera_path``, None for a missing file: it is not annotated.

    The layout ``'npy'`` is the pre-processed form of Liu, Johns and Davison, "End-to-End Multi-Task Learning with
    Attention", CVPR 2019, which LibMTL and Nash-MTL read too: images of shape (H, W, 3), RGB in [0, 1]; label maps of
    shape (H, W), -1 where ignored; inverse depths of shape (H, W, 1), 0 where unknown. Their NYUv2 has this form too,
    with 13 classes in a folder ``label`` and depths in metres: ``num_classes=13``, and ``target='depth',
    npy_holds='depth'`` of `LoadDisparity`.

    Args:
        data_root: Folder of the data set.
        split: Name of the folder of the split, such as ``'train'`` or ``'val'``.
        num_classes: 19 for the classes of the benchmark, 7 for the categories flat, construction, object, nature,
            sky, human and vehicle. Both ignore labels that CityScapes does not evaluate. With labels of your own, or
            with the layout ``'npy'``, any number; their names go into ``metainfo=dict(classes=...)``.
        label_ids: What the ids of the label maps are, see `LoadLabelMap`. None for CityScapes' label ids, after a look
            at a few of the maps: with ids up to 18 only, as the train ids are, they are refused.
        layout: ``'cityscapes'`` for the published folders, ``'npy'`` for the pre-processed form.
        require: Tasks, of ``'seg'`` and ``'depth'``, for which every image must be annotated.
        metainfo: Overrides of the meta information.
        **kwargs: Further arguments of :class:`mmengine.dataset.BaseDataset`: ``pipeline``, ``test_mode``, ``indices``,
            ``serialize_data``, ``lazy_init``, ``max_refetch``.

    Raises:
        ValueError: If an option is out of range, or the label maps have other ids than CityScapes'.
        FileNotFoundError: If there is no image, a required annotation is missing, or only some of the images with a
            disparity have a camera file.
    """

    def __init__(
        self,
        data_root: str,
        *,
        split: str = 'train',
        num_classes: int = 19,
        label_ids: LabelIds = None,
        layout: str = 'cityscapes',
        require: Sequence[str] = ('seg', 'depth'),
        metainfo: dict | None = None,
        **kwargs: Any,
    ) -> None:
        if layout not in LAYOUTS:
            raise ValueError(f'`layout` must be one of {tuple(LAYOUTS)}, got {layout!r}')
        if isinstance(require, str) or not set(require) <= set(_FIELDS):
            raise ValueError(f'`require` must be a sequence of names from {tuple(_FIELDS)}, got {require!r}')
        self.split = split
        check_label_ids(label_ids, num_classes)
        self.num_classes = num_classes
        self.label_ids = dict(label_ids) if isinstance(label_ids, Mapping) else label_ids
        self.layout = layout
        self.require = tuple(require)
        self._categories: dict[str, list[int]] = {}
        # `reduce_zero_label` and `label_map`, here and per image, are what mmseg asks its data sets for.
        names, palette = default_classes(label_ids, num_classes, layout)
        meta: dict[str, Any] = dict(classes=names, palette=palette, reduce_zero_label=False, label_map=None) | dict(
            metainfo or {}
        )
        if len(meta['classes']) != num_classes:
            raise ValueError(
                f"`metainfo['classes']` must have a name for each of `num_classes` {num_classes}, got "
                f'{len(meta["classes"])}'
            )
        super().__init__(
            metainfo=meta,
            data_root=data_root,
            # Fixed, so that a caller who passes one of them gets an error: nothing here would read it.
            ann_file='',
            data_prefix={},
            filter_cfg=None,
            **kwargs,
        )

    def load_data_list(self) -> list[dict]:
        """Collect the files of the split, sorted by city and name, or by number."""
        found = find_files(
            self.data_root,
            split=self.split,
            layout=self.layout,
            num_classes=self.num_classes,
            require=[_FIELDS[task] for task in self.require],
        )
        if self.label_ids is None and self.layout == 'cityscapes':
            check_for_train_ids([files['seg_map_path'] for files in found])
        return [
            dict(
                files,
                num_classes=self.num_classes,
                label_ids=self.label_ids,
                reduce_zero_label=False,
                label_map=None,
                seg_fields=[],
            )
            for files in found
        ]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes in the label map of an image, none where it has no map: for ``ClassBalancedDataset``.

        The map is read when it is asked for first.
        """
        path = self.get_data_info(idx)['seg_map_path']
        if path is None:
            return []
        if path not in self._categories:
            classes = np.unique(read_label_map(path, self.num_classes, self.label_ids))
            self._categories[path] = classes[classes != IGNORED].tolist()
        return self._categories[path]
