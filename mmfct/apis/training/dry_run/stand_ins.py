"""A config that reads what is there, finds stand-ins for what is not, and writes nothing but into one folder."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmfct.apis.training.dry_run.sample_table import SampleTable
from mmfct.utils.checkpoint import checkpoint_file
from mmfct.utils.dataset_configs import dataset_chains, type_name

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def with_stand_ins(config: Config, stand_ins: Mapping[str, str]) -> Config:
    """Copy a config with other checkpoints.

    Args:
        config: Config of a stage.
        stand_ins: File to read instead, by checkpoint; ``FILE::ENTRY`` becomes the file.
    """
    config = copy.deepcopy(config)
    for key, value in config.items():
        config[key] = _replaced(value, stand_ins)
    return config


def named_files(value: Any) -> set[str]:
    """Return the strings in a config that may be checkpoints, without entries in them."""
    if isinstance(value, Mapping):
        return set().union(*(named_files(item) for item in value.values()))
    if isinstance(value, (list, tuple)):
        return set().union(*map(named_files, value))
    return {str(checkpoint_file(value))} if isinstance(value, str) else set()


def confined(config: Config, folder: Path) -> Config:
    """Copy a config so that logs and checkpoints go into a folder, and visualisers report to no service.

    Tables of embeddings are left as they are, see `with_sample_tables`.

    Args:
        config: Config of a stage.
        folder: Folder for whatever it writes.
    """
    config = copy.deepcopy(config)
    config.work_dir = str(folder)
    if config.get('log_level') != 'DEBUG':  # that of `--verbose`
        config.log_level = 'WARNING'
    if config.get('visualizer') is not None:
        config.visualizer.vis_backends = [dict(type='LocalVisBackend')]
        config.visualizer.pop('save_dir', None)
    checkpoint = (config.get('default_hooks') or {}).get('checkpoint')
    if checkpoint is not None:
        checkpoint.pop('out_dir', None)
    for loader in LOADERS:
        if config.get(loader) is not None:
            _confine_indices(config[loader].dataset, folder)
    return config


def with_sample_tables(config: Config) -> Config:
    """Copy a config with a `SampleTable` in place of every table of embeddings."""
    config = copy.deepcopy(config)
    for loader in LOADERS:
        for chain in dataset_chains(config[loader].dataset) if config.get(loader) is not None else ():
            for table in chain:
                if type_name(table) == 'EmbeddingTable':
                    table['type'] = SampleTable
    return config


def _confine_indices(dataset: dict, folder: Path) -> None:
    """Copy the indices that SURREAL makes of its clips if they are missing, or replaces if files have changed."""
    for *_, settings in dataset_chains(dataset):
        if type_name(settings) != 'Surreal':
            continue
        name = f'surreal_{settings.get("split", "train")}.json'
        index = Path(settings.get('index_file') or Path(settings['data_root'], name)).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        settings['index_file'] = str(folder / name)
        if index.is_file():
            shutil.copyfile(index, folder / name)


def _replaced(value: Any, stand_ins: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        for key, item in value.items():
            value[key] = _replaced(item, stand_ins)
        return value
    if isinstance(value, (list, tuple)):
        return type(value)(_replaced(item, stand_ins) for item in value)
    return stand_ins.get(str(checkpoint_file(value)), value) if isinstance(value, str) else value
