"""Instances with correct labels: what an oracle trains on."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmfct.datasets.chosen_items import ChosenItems
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.registry import DATASETS


@DATASETS.register_module()
class CleanInstances(ChosenItems):
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
        super().__init__(dataset, lazy_init=lazy_init)

    def choose(self) -> np.ndarray:
        """Return the positions of the instances without a wrong label."""
        wrong = np.zeros(len(self.dataset), bool)
        for corrupted in self.dataset.corrupted.values():
            wrong |= corrupted
        if not wrong.any():
            raise ValueError(
                f'`dataset` must have wrong labels to leave out, got none with `fractions` {self.dataset.fractions}; '
                'CleanInstances (`only_clean` in our configs) goes with a share above 0 (`corrupted`, `corrupted_...`)'
            )
        indices = np.flatnonzero(~wrong)
        if not len(indices):
            raise ValueError('`dataset` must leave an instance without a wrong label, got none')
        return indices

    @force_full_init
    def __getitem__(self, idx: int) -> Any:
        return self.dataset.fetch(int(self._indices[idx]), self._indices)
