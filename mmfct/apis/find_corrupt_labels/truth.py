"""Which training labels are known to be wrong."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.apis.find_corrupt_labels.data import TrainingInstances, instance_rows


def corruption_of_wrappers(instances: TrainingInstances, tasks: Sequence[str]) -> dict[str, np.ndarray]:
    """Collect what every `mmfct.CorruptLabels` in the training set says about its instances.

    Args:
        instances: The training instances.
        tasks: Known tasks; what is said about others is left out.

    Returns:
        For each task that one is about, whether each instance's label is wrong, boolean of shape (I,).
    """
    known: dict[str, np.ndarray] = {}
    for wrapper in _wrappers(instances.dataset):
        rows = instance_rows(wrapper, instances.keys)
        for name, flags in wrapper.corrupted.items():
            task = _match(name, tasks)
            if task is not None:
                known.setdefault(task, np.zeros(len(instances.files), dtype=bool))[rows[flags]] = True
    return known


def corruption_in_csv(path: str | Path, instances: TrainingInstances, tasks: Sequence[str]) -> dict[str, np.ndarray]:
    """Read the labels known to be wrong from a CSV file; all others count as right.

    Args:
        path: File with columns ``file``, an instance's key or path, and ``task``. With a column ``corrupted``
            only rows with 1 or True are wrong.
        instances: The training instances.
        tasks: Known tasks.

    Returns:
        For each task in the file, whether each instance's label is wrong, boolean of shape (I,).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, or a file or task is unknown.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'`corrupted` {str(path)!r} does not exist')
    row_of = {name: row for names in (instances.paths, instances.files) for row, name in enumerate(names)}
    known: dict[str, np.ndarray] = {}
    with path.open(newline='') as file:
        reader = csv.DictReader(file)
        if not {'file', 'task'} <= set(reader.fieldnames or ()):
            raise ValueError(
                f'`corrupted` must be a CSV file with columns `file` and `task`, got {reader.fieldnames!r} in '
                f'{str(path)!r}'
            )
        for line in reader:
            task = _match(line['task'], tasks)
            if task is None:
                raise ValueError(f'`corrupted` must name tasks out of {list(tasks)!r}, got {line["task"]!r}')
            if line['file'] not in row_of:
                raise ValueError(
                    f'`corrupted` must name files of the training set, such as {instances.files[0]!r}, '
                    f'got {line["file"]!r}'
                )
            column = known.setdefault(task, np.zeros(len(instances.files), dtype=bool))
            column[row_of[line['file']]] |= line.get('corrupted', '1') in ('1', 'True')
    return known


def _match(name: str, tasks: Sequence[str]) -> str | None:
    """Return the task of the model that a record calls ``name``; a classifier may give its label any name."""
    if name in tasks:
        return name
    return tasks[0] if name == 'label' and len(tasks) == 1 else None


def _wrappers(dataset: Any) -> Iterator[Any]:
    """Yield the data set itself and those that it wraps, where they know of corruption."""
    if hasattr(dataset, 'corrupted'):
        yield dataset
    inner = getattr(dataset, 'dataset', getattr(dataset, 'datasets', []))
    for child in inner if isinstance(inner, (list, tuple)) else [inner]:
        yield from _wrappers(child)
