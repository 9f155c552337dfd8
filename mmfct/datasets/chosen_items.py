"""Some of the items of a data set."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from mmengine.dataset import force_full_init

from mmfct.instances.positions import inner_positions


class ChosenItems(ABC):
    """Base of wrappers that keep some of the items of a data set, with their annotations and ``sample_idx``.

    Args:
        dataset: The data set.
        lazy_init: Whether to choose the items only on first use.
    """

    def __init__(self, dataset: Any, *, lazy_init: bool) -> None:
        self.dataset = dataset
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    @abstractmethod
    def choose(self) -> np.ndarray:
        """Return the positions of the N items to keep in the initialised data set, int64 of shape (N,)."""

    @abstractmethod
    def __getitem__(self, idx: int) -> Any:
        """Return item ``idx`` through the pipeline."""

    @property
    def metainfo(self) -> dict:
        """Meta information of the wrapped data set."""
        return copy.deepcopy(self.dataset.metainfo)

    def full_init(self) -> None:
        """Initialise the wrapped data set and choose its items."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        self._indices = self.choose()
        self._fully_initialized = True

    @force_full_init
    def __len__(self) -> int:
        return len(self._indices)

    @force_full_init
    def get_data_info(self, idx: int) -> dict:
        """Return the annotation of item ``idx``, with the wrapped data set's ``sample_idx``."""
        return self.dataset.get_data_info(int(self._indices[idx]))

    @force_full_init
    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the wrapped data set's category ids of item ``idx``."""
        return self.dataset.get_cat_ids(int(self._indices[idx]))


@inner_positions.register(ChosenItems)
def _(dataset: ChosenItems) -> np.ndarray:
    return dataset._indices
