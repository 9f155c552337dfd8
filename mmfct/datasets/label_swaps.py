"""Assign permuted labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def draw_donors(annotations: Sequence[Any], fraction: float, *, task: str, seed: int) -> np.ndarray:
    """Choose instances and shift their annotations along one random cycle.

    Args:
        annotations: Annotations of I instances; None for an instance without one.
        fraction: Share of the annotated instances to choose, from 0 to 1.
        task: Name of the task; the choices of different tasks are independent.
        seed: Seed, at least 0.

    Returns:
        For every instance the one whose annotation it gets, int64 of shape (I,).

    Raises:
        ValueError: If a fraction above 0 chooses fewer than 2 instances.
    """
    chosen = draw_instances(annotations, fraction, task=task, seed=seed)
    if fraction > 0 and len(chosen) < 2:
        number = sum(value is not None for value in annotations)
        raise ValueError(
            f'`fractions` must choose at least 2 instances to permute, or be 0, got {fraction!r} of {number} '
            f'annotated instances for the task {task!r}'
        )
    donors = np.arange(len(annotations))
    donors[chosen] = np.roll(chosen, -1)
    return donors


def draw_instances(annotations: Sequence[Any], fraction: float, *, task: str, seed: int) -> np.ndarray:
    """Choose instances.

    The choice depends only on the number of annotated instances, the task and the seed. A larger fraction chooses a
    superset of what a smaller one does.

    Args:
        annotations: Annotations of I instances; None for an instance without one.
        fraction: Share of the annotated instances to choose, from 0 to 1.
        task: Name of the task; the choices of different tasks are independent.
        seed: Seed, at least 0.

    Returns:
        The chosen ones, int64.
    """
    annotated = np.array([number for number, value in enumerate(annotations) if value is not None], np.int64)
    # Python's hash of the name would differ from process to process.
    return np.random.default_rng([seed, *task.encode()]).permutation(annotated)[: round(fraction * len(annotated))]
