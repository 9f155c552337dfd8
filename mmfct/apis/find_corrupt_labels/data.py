"""The training set of a config, instance by instance and without augmentation."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.config import Config, ConfigDict
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Subset

from mmfct.engine.hooks.instance_hook import instance_key
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.positions import find_positions, number_instances
from mmfct.registry import DATASETS
from mmfct.utils.dataset_configs import innermost_dataset, with_pipeline


@dataclass(frozen=True)
class TrainingInstances:
    """The I distinct instances of a training set, in the order of a table of instance parameters.

    Args:
        dataset: The data set, with the pipeline of the validation.
        keys: Keys of the instances.
        indices: Where each instance is first met in the data set, int64 of shape (I,).
        files: Key of each instance: its file relative to the folder that all have in common.
        paths: File of each instance.
    """

    dataset: Any
    keys: InstanceKeys
    indices: np.ndarray
    files: list[str]
    paths: list[str]

    @classmethod
    def of(cls, config: Config) -> TrainingInstances:
        """Build the training set of a config with the pipeline of its validation, or test, which loads labels too.

        Raises:
            ValueError: If the config has no training set, or no other.
        """
        if config.get('train_dataloader') is None:
            raise ValueError('the config must have a `train_dataloader`, which says what the training images are')
        pipeline = innermost_dataset(_validation(config).dataset).get('pipeline', [])
        dataset = DATASETS.build(with_pipeline(config.train_dataloader.dataset, pipeline))
        keys = InstanceKeys.of(dataset, field=instance_key(config.get('custom_hooks') or []))
        files = keys.keys
        _, indices = np.unique(instance_rows(dataset, keys), return_index=True)
        positions = find_positions(dataset)
        infos = [positions.annotation(index) for index in indices]
        paths = [str(info.get('img_path', file)) for info, file in zip(infos, files, strict=True)]
        return cls(dataset, keys, indices, files, paths)

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the data set: names and colours of the classes."""
        return self.dataset.metainfo

    def loader(self, config: Config, rows: Sequence[int] | np.ndarray | None = None) -> DataLoader:
        """Return a loader of these instances, in order, that batches as the validation does.

        Args:
            config: Where the batch size and the workers come from.
            rows: Instances; ``None`` for all.
        """
        indices = self.indices if rows is None else self.indices[np.asarray(rows)]
        options = copy.deepcopy(dict(_validation(config)))
        for name in ('dataset', 'sampler', 'batch_sampler', 'drop_last', 'persistent_workers'):
            options.pop(name, None)
        options.setdefault('batch_size', 1)  # a batch sampler may have had it
        options['dataset'] = Subset(self.dataset, indices.tolist())
        options['sampler'] = dict(type='DefaultSampler', shuffle=False)
        return Runner.build_dataloader(options)


def instance_rows(dataset: Any, keys: InstanceKeys) -> np.ndarray:
    """Return the row of every item of a data set, int64 of shape (len(dataset),).

    Args:
        dataset: The training set, or a part of it.
        keys: Keys of the training set.
    """
    positions = find_positions(dataset)
    number, first = number_instances(positions)
    values = [keys.name(positions.annotation(position)) for position in first]
    return np.array([keys.row(value) for value in values], dtype=np.int64)[number]


def _validation(config: Config) -> ConfigDict:
    """Return the data loader of the validation, or else of the test."""
    for name in ('val_dataloader', 'test_dataloader'):
        if config.get(name) is not None:
            return config[name]
    raise ValueError(
        'the config must have a `val_dataloader` or a `test_dataloader`, whose pipeline loads images and labels '
        'without augmentation, got neither'
    )
