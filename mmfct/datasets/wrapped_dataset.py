"""Build the data set inside a wrapper."""

from __future__ import annotations

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
