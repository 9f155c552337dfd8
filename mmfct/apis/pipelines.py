"""Pipelines of data set configs, through wrappers."""

from __future__ import annotations

import copy


def find_pipeline(dataset: dict) -> list[dict]:
    """Return the pipeline of the innermost data set, the first one where several are concatenated."""
    children = _children(dataset)
    return find_pipeline(children[0]) if children else dataset.get('pipeline', [])


def with_pipeline(dataset: dict, pipeline: list[dict]) -> dict:
    """Return the config of a data set with another pipeline; a wrapper that augments gets an empty one."""
    dataset = copy.deepcopy(dict(dataset))
    if 'dataset' in dataset:
        dataset['dataset'] = with_pipeline(dataset['dataset'], pipeline)
    elif 'datasets' in dataset:
        dataset['datasets'] = [with_pipeline(child, pipeline) for child in dataset['datasets']]
    else:
        return dataset | dict(pipeline=copy.deepcopy(pipeline))
    return dataset | dict(pipeline=[]) if 'pipeline' in dataset else dataset


def _children(dataset: dict) -> list[dict]:
    """Return the data sets that a wrapper wraps."""
    inner = dataset.get('dataset', dataset.get('datasets', []))
    return list(inner) if isinstance(inner, (list, tuple)) else [inner]
