"""Which training labels are known to be wrong."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mmfct.apis.find_corrupt_labels.data import TrainingInstances, instance_rows
from mmfct.datasets.corrupt_labels import CorruptLabels
from mmfct.instances.positions import walk_data_sets
from mmfct.utils.tables import open_csv

# What a cell of the column `corrupted` may hold; pandas writes 1.0 where other cells are empty.
_FLAGS = {'1': True, '1.0': True, 'true': True, '0': False, '0.0': False, 'false': False, '': False}


def corruption_of_wrappers(instances: TrainingInstances, tasks: Sequence[str]) -> dict[str, np.ndarray]:
    """Collect the wrong labels of every `mmfct.CorruptLabels` in the training set.

    Args:
        instances: The training instances.
        tasks: Known tasks; others are left out.

    Returns:
        For each task that one of them corrupts, whether each instance's label is wrong, boolean of shape (I,).
    """
    known: dict[str, np.ndarray] = {}
    for wrapper in walk_data_sets(instances.dataset):
        if not isinstance(wrapper, CorruptLabels):
            continue
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
            only rows with 1 or True are wrong, and those with 0, False or nothing are not.
        instances: The training instances.
        tasks: Known tasks.

    Returns:
        For each task in the file, whether each instance's label is wrong, boolean of shape (I,).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a column is missing, a file or task is unknown, or ``corrupted`` holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'`corrupted` {str(path)!r} does not exist')
    row_of = {name: row for names in (instances.paths, instances.files) for row, name in enumerate(names)}
    counts, keys = Counter(instances.paths), frozenset(instances.files)
    known: dict[str, np.ndarray] = {}
    with open_csv(path) as file:
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
            if counts[line['file']] > 1 and line['file'] not in keys:
                pairs = zip(instances.files, instances.paths, strict=True)
                several = [key for key, image in pairs if image == line['file']]
                raise ValueError(
                    f'`corrupted` must say which annotation of an image is meant, such as {several[0]!r}, got '
                    f'{line["file"]!r}, which has {len(several)}'
                )
            if line['file'] not in row_of:
                raise ValueError(
                    f'`corrupted` must name files of the training set, such as {instances.files[0]!r}, '
                    f'got {line["file"]!r}'
                )
            column = known.setdefault(task, np.zeros(len(instances.files), dtype=bool))
            flag = (line.get('corrupted', '1') or '').strip().lower()
            if flag not in _FLAGS:
                raise ValueError(f'`corrupted` must say 1 or 0 of a label, got {flag!r} for {line["file"]!r}')
            column[row_of[line['file']]] |= _FLAGS[flag]
    return known


def _match(name: str, tasks: Sequence[str]) -> str | None:
    """Return the model's task that a record calls ``name``; ``label`` is the one task of a classifier."""
    if name in tasks:
        return name
    return tasks[0] if name == 'label' and len(tasks) == 1 else None
