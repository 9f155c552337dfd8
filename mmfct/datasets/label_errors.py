"""Kinds of wrong annotations besides those of another image."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

PERMUTED = 'permuted'
# What each kind can be told, with its default.
_OPTIONS: dict[str, dict[str, Any]] = {
    PERMUTED: {},
    'half': {},
    'mirrored': {},
    'shifted': dict(share=0.25),
    'scaled': dict(factor=2.0),
    'swapped': dict(classes=None),
}
_KINDS_OF = dict(
    seg=(PERMUTED, 'half', 'mirrored', 'shifted', 'swapped'),
    parts=(PERMUTED, 'half', 'mirrored', 'shifted', 'swapped'),
    depth=(PERMUTED, 'half', 'mirrored', 'shifted', 'scaled'),
    label=(PERMUTED, 'swapped'),
)
# Where an annotation says what a transform that loads a map must do to it.
FIELD = 'label_errors'


class MapLoader:
    """Base of transforms that load maps, and make them wrong where an annotation says so.

    Attributes:
        error_tasks: Tasks whose maps it loads.
    """

    error_tasks: ClassVar[tuple[str, ...]]


def label_error(task: str, kind: str | Mapping[str, Any]) -> dict[str, Any]:
    """Return a kind of error with all its options.

    Args:
        task: Name of the task.
        kind: Name of the kind, or a dict with its name as ``type`` and options.

    Raises:
        ValueError: If the task has no such kind, or an option is unknown or out of range.
    """
    options = dict(kind) if isinstance(kind, Mapping) else dict(type=kind)
    name, known = options.pop('type', None), _KINDS_OF.get(task, (PERMUTED,))
    if name not in known:
        raise ValueError(f'`kinds` of the task {task!r} must be one of {known}, got {name!r}')
    if not set(options) <= set(_OPTIONS[name]):
        raise ValueError(
            f'`kinds` with the type {name!r} must have options from {tuple(_OPTIONS[name])}, got {options!r}'
        )
    error = dict(type=name) | _OPTIONS[name] | options
    if name == 'swapped' and not _is_pair(error['classes']):
        raise ValueError(f"`classes` of the kind 'swapped' must be two different classes, got {error['classes']!r}")
    if name == 'shifted' and not 0 < error['share'] < 1:
        raise ValueError(f"`share` of the kind 'shifted' must be between 0 and 1, got {error['share']!r}")
    if name == 'scaled' and not (error['factor'] > 0 and error['factor'] != 1):
        raise ValueError(f"`factor` of the kind 'scaled' must be above 0 and not 1, got {error['factor']!r}")
    return error


def swap_classes(values: np.ndarray, classes: tuple[int, int]) -> np.ndarray:
    """Return labels in which each of two classes stands for the other."""
    first, second = classes
    return np.where(values == first, second, np.where(values == second, first, values)).astype(values.dtype)


def wrong_map(
    results: Mapping[str, Any], task: str, values: np.ndarray, read: Callable[[dict], np.ndarray]
) -> np.ndarray:
    """Return a map as the annotation says that it is wrong, or as it is.

    Args:
        results: Annotation of the image.
        task: Name of the task.
        values: Map of shape (H, W).
        read: Reads the map of another annotation, of the same shape.

    Raises:
        ValueError: If the other map has another shape.
    """
    error = results.get(FIELD, {}).get(task)
    if error is None:
        return values
    if error['type'] == 'mirrored':
        return np.ascontiguousarray(values[:, ::-1])
    if error['type'] == 'shifted':
        return np.roll(values, max(round(error['share'] * values.shape[1]), 1), axis=1)
    if error['type'] == 'scaled':
        return values * np.asarray(error['factor'], values.dtype)
    if error['type'] == 'swapped':
        return swap_classes(values, error['classes'])
    other = read(error['donor'])
    if other.shape != values.shape:
        raise ValueError(f"the kind 'half' needs maps of one size, got {values.shape} and {other.shape}")
    middle = values.shape[1] // 2
    return np.concatenate([values[:, :middle], other[:, middle:]], axis=1)


def _is_pair(classes: Any) -> bool:
    return (
        isinstance(classes, (list, tuple))
        and len(set(classes)) == len(classes) == 2
        and all(isinstance(label, numbers.Integral) for label in classes)
    )
