"""Build data sets from configs."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.dataset import BaseDataset

from mmfct.registry import DATASETS


def wrapped_dataset(dataset: dict | BaseDataset) -> BaseDataset:
    """Return the data set of a wrapper, built from its config if it is one.

    Raises:
        TypeError: If ``dataset`` is neither a config nor a data set.
    """
    if isinstance(dataset, dict):
        return DATASETS.build(dataset)
    if not hasattr(dataset, 'get_data_info'):
        raise TypeError(f'`dataset` must be a config or an mmengine data set, got {type(dataset)}')
    return dataset


def ready_dataset(config: Mapping[str, Any]) -> Any:
    """Build a data set and initialise it, which may be left for later; the config stays as it is."""
    dataset = DATASETS.build(copy.deepcopy(dict(config)))
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    return dataset
