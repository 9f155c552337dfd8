"""Instances with correct labels: what an oracle trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.instances.positions import inner_positions
from mmfct.registry import DATASETS


@DATASETS.register_module()
class CleanInstances:
    """Wrapper that drops every instance to which `CorruptLabels` gives a wrong label for any task.

    Args:
        dataset: A `CorruptLabels`, or the config of one.
        lazy_init: Whether to select the instances only on first use.

    Raises:
        TypeError: If ``dataset`` is anything else.
        ValueError: If no instance has a wrong label, or none is left.
    """

    def __init__(self, dataset: dict | CorruptLabels, *, lazy_init: bool = False) -> None:
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        if not isinstance(dataset, CorruptLabels):
            raise TypeError(f'`dataset` must be a mmfct.CorruptLabels, got {type(dataset)}')
        self.dataset = dataset
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped data set."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Initialise the wrapped data set and find the instances that are left."""
        if self._fully_initialized:
            return
        wrong = np.zeros(len(self.dataset), bool)
        for corrupted in self.dataset.corrupted.values():
            wrong |= corrupted
        if not wrong.any():
            raise ValueError(
                f'`dataset` must have wrong labels to leave out, got none with `fractions` {self.dataset.fractions}; '
                'CleanInstances (`only_clean` in our configs) goes with a share above 0 (`corrupted`, `corrupted_...`)'
            )
        self._indices = np.flatnonzero(~wrong)
        if not len(self._indices):
            raise ValueError('`dataset` must leave an instance without a wrong label, got none')
        self._fully_initialized = True

    @force_full_init
    def __len__(self) -> int:
        return len(self._indices)

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        return self.dataset.fetch(int(self._indices[idx]), self._indices)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of item ``idx``."""
        return self.dataset.get_data_info(int(self._indices[idx]))

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes of item ``idx``."""
        return self.dataset.get_cat_ids(int(self._indices[idx]))


@inner_positions.register(CleanInstances)
def _(dataset: CleanInstances) -> np.ndarray:
    return dataset._indices
