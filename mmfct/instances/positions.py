"""Data sets inside wrappers, and which of their items each item of a wrapped data set is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset, ClassBalancedDataset, RepeatDataset
from torch.utils.data import ConcatDataset, Subset


@dataclass(frozen=True)
class Positions:
    """Where the N items of a data set come from.

    Args:
        sources: The innermost data sets, each once.
        source: Position in ``sources``, int64 of shape (N,).
        index: Position in that source, int64 of shape (N,).
    """

    sources: list[Any]
    source: np.ndarray
    index: np.ndarray

    def annotation(self, position: int) -> dict:
        """Return the annotation of an item.

        mmpretrain's ``MultiTaskDataset`` has a list of them, but not the method of mmengine's data sets.
        """
        source, index = self.sources[self.source[position]], int(self.index[position])
        return source.get_data_info(index) if hasattr(source, 'get_data_info') else source.data_list[index]


def walk_data_sets(dataset: Any) -> Iterator[Any]:
    """Yield a data set and those that it wraps, from the outside in.

    Unlike :func:`find_positions` it looks into every wrapper: all have what they wrap under ``dataset`` or
    ``datasets``, those of the hosts too.

    Args:
        dataset: A data set, wrapped as often as you like.
    """
    yield dataset
    if hasattr(dataset, 'dataset'):
        yield from walk_data_sets(dataset.dataset)
    elif hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from walk_data_sets(part)


@singledispatch
def inner_positions(dataset: Any) -> np.ndarray | None:
    """Positions in ``dataset.dataset`` of the items of a wrapper, int64 of shape (N,); None if it is no wrapper.

    Make further wrappers known with ``inner_positions.register``.

    Args:
        dataset: A data set after ``full_init``.
    """
    return None


@inner_positions.register(RepeatDataset)
def _(dataset: RepeatDataset) -> np.ndarray:
    return np.arange(len(dataset)) % max(len(dataset.dataset), 1)


@inner_positions.register(ClassBalancedDataset)
def _(dataset: ClassBalancedDataset) -> np.ndarray:
    return np.asarray(dataset.repeat_indices, np.int64)


@inner_positions.register(Subset)
def _(dataset: Subset) -> np.ndarray:
    return np.asarray(dataset.indices, np.int64)


def find_positions(dataset: Any) -> Positions:
    """Look through the wrappers around data sets; no annotation is read.

    Those of mmengine, torch and this project are known, and mmpretrain's ``KFoldDataset``; any other wrapper may make
    an item of several images, as mmseg's ``MultiImageMixDataset`` does. A data set with ``get_data_info`` or a
    ``data_list`` that wraps none counts as innermost.

    Args:
        dataset: A data set, wrapped as often as you like.

    Raises:
        TypeError: If an innermost data set gives no annotations.
        ValueError: If items are mixed of several images, or a wrapper is unknown.
    """
    if hasattr(dataset, 'full_init'):
        dataset.full_init()
    if isinstance(dataset, ConcatDataset):  # mmengine's is one
        return _concatenate([find_positions(part) for part in dataset.datasets])
    chosen = inner_positions(dataset)
    if chosen is not None:
        inner = find_positions(dataset.dataset)
        return Positions(inner.sources, inner.source[chosen], inner.index[chosen])
    if not hasattr(dataset, 'get_data_info') and not hasattr(dataset, 'data_list'):
        raise TypeError(f'`dataset` must be an mmengine data set, or wrappers around such, got {type(dataset)}')
    if _wraps(dataset) and not _is_fold(dataset):
        kind = type(dataset).__name__
        raise ValueError(
            f'`dataset` must be a data set of which every item is one image, got the wrapper {kind}, which mixes '
            'images or may do so: a mixed image has no weight of its own. Leave it out (no Mosaic, no MixUp); or, if '
            f'each of its items is one of `dataset.dataset`, say which: `inner_positions.register({kind}, lambda '
            'wrapper: np.arange(len(wrapper)))`, from mmfct.instances.positions'
        )
    return Positions([dataset], np.zeros(len(dataset), np.int64), np.arange(len(dataset)))


def _wraps(dataset: Any) -> bool:
    """Return whether a data set takes its items from another one."""
    if isinstance(dataset, BaseDataset):
        return False
    inner = [getattr(dataset, 'dataset', None), *(getattr(dataset, 'datasets', None) or ())]
    return any(hasattr(part, '__getitem__') and hasattr(part, '__len__') for part in inner)


def _is_fold(dataset: Any) -> bool:
    """Return whether a wrapper is mmpretrain's ``KFoldDataset``, which takes a subset of its data set."""
    return any(kind.__name__ == 'KFoldDataset' for kind in type(dataset).mro())


def number_instances(positions: Positions) -> tuple[np.ndarray, np.ndarray]:
    """Number the different items in order of their first appearance.

    Args:
        positions: Where N items come from.

    Returns:
        The number of every item, int64 of shape (N,), and the first position of every one of the I different items,
        int64 of shape (I,).
    """
    code = positions.source * (positions.index.max(initial=0) + 1) + positions.index
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[inverse], first[order]


def _concatenate(parts: list[Positions]) -> Positions:
    """Join the positions of several data sets; a source that is in several of them stays one."""
    sources: dict[int, Any] = {}
    for part in parts:
        sources.update((id(source), source) for source in part.sources)
    number = {key: position for position, key in enumerate(sources)}
    source = [np.array([number[id(source)] for source in part.sources], np.int64)[part.source] for part in parts]
    return Positions(list(sources.values()), np.concatenate(source), np.concatenate([part.index for part in parts]))
