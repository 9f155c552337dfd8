"""Who gets whose annotation, and the record of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.instances.keys import InstanceKeys
from mmfct.utils.files import write_atomically


def draw_donors(annotations: Sequence[Any], fraction: float, *, task: str, seed: int) -> np.ndarray:
    """Choose instances and let their annotations go round in one random cycle.

    The choice depends on the number of annotated instances, the task and the seed only. What a smaller fraction
    chooses, a larger one chooses too.

    Args:
        annotations: The annotation of every one of I instances; None where there is none.
        fraction: Share of the annotated instances to choose, from 0 to 1.
        task: Name that makes the choices of tasks independent of one another.
        seed: Seed, at least 0.

    Returns:
        For every instance the one whose annotation it gets, int64 of shape (I,).

    Raises:
        ValueError: If a fraction above 0 chooses fewer than 2 instances.
    """
    annotated = np.array([number for number, value in enumerate(annotations) if value is not None], np.int64)
    count = round(fraction * len(annotated))
    if fraction > 0 and count < 2:
        raise ValueError(
            f'`fractions` must choose at least 2 instances to permute, or be 0, got {fraction!r} of {len(annotated)} '
            f'annotated instances for the task {task!r}'
        )
    # Not Python's hash of the name, which differs from process to process.
    chosen = np.random.default_rng([seed, *task.encode()]).permutation(annotated)[:count]
    donors = np.arange(len(annotations))
    donors[chosen] = np.roll(chosen, -1)
    return donors


def name_instances(paths: Sequence[str | None]) -> list[str]:
    """Return the keys of instances, as :class:`InstanceKeys` has them, or their numbers if any has no file.

    Args:
        paths: The image file of every instance.
    """
    if any(path is None for path in paths):
        return [str(number) for number in range(len(paths))]
    instances = InstanceKeys(path for path in paths if path is not None)
    keys = instances.keys
    return [keys[instances.row(path)] for path in paths if path is not None]


def write_record(path: str, rows: Iterable[tuple[str, str, str]]) -> None:
    """Write a CSV file of corrupted annotations, complete or not at all.

    Args:
        path: The file; its folder is made.
        rows: Key of the instance, task, key of the instance whose annotation it has.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(('file', 'task', 'source'))
    writer.writerows(rows)
    file = Path(path).expanduser()
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, text.getvalue().encode())
