"""Look through the wrappers in the config of a data set; `mmfct.instances.positions` does so for built data sets."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any


def type_name(config: Mapping[str, Any]) -> str:
    """Return the name of a config's type without its scope, such as ``EmbeddingTable`` of ``mmfct.EmbeddingTable``."""
    kind = config['type']
    return kind.rpartition('.')[2] if isinstance(kind, str) else kind.__name__


def dataset_chains(config: dict) -> Iterator[list[dict]]:
    """Yield, for every innermost data set, the configs from the outermost wrapper down to it.

    Args:
        config: Config of a data set, wrapped as often as you like. A wrapper has ``dataset`` or ``datasets``.
    """
    inner = config.get('dataset', config.get('datasets', []))
    children = inner if isinstance(inner, (list, tuple)) else [inner]
    if not children:
        yield [config]
    for child in children:
        for chain in dataset_chains(child):
            yield [config, *chain]


def innermost_dataset(config: dict) -> dict:
    """Return the config of the innermost data set; of several, the first."""
    return next(dataset_chains(config))[-1]


def with_pipeline(config: dict, pipeline: list[dict]) -> dict:
    """Copy the config of a data set with another pipeline; that of a wrapper, which augments, becomes empty."""
    config = copy.deepcopy(dict(config))
    for *wrappers, dataset in dataset_chains(config):
        for wrapper in wrappers:
            if 'pipeline' in wrapper:
                wrapper['pipeline'] = []
        dataset['pipeline'] = copy.deepcopy(pipeline)
    return config
