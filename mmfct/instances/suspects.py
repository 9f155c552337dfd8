"""What an earlier training said about the labels."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.logging import print_log
from torch import Tensor

from mmfct.instances.keys import InstanceKeys
from mmfct.utils.tables import open_csv

# A label is never left out for good: the earlier training may have been wrong about it.
_LEAST = 1e-3


def read_weights(folder: str | Path, tasks: Sequence[str], keys: InstanceKeys) -> Tensor:
    """Read weights in proportion to the probability that a label is right out of the tables of ``mmfct suspects``.

    Args:
        folder: Folder with ``suspects_<task>.csv``; a task without a file is taken as right, with a warning.
        tasks: Names of the T tasks.
        keys: Keys of the I training instances.

    Returns:
        Weights above 0, of mean 1 in each task, float32 of shape (I, T). A label counts as right where nothing is
        known or there was no evidence.

    Raises:
        FileNotFoundError: If there is no file for any task.
        ValueError: If a file lacks a column, names an instance that the data set does not have, or has a probability
            that is no number in [0, 1].
    """
    files = {task: Path(folder) / f'suspects_{task}.csv' for task in tasks}
    if not any(file.is_file() for file in files.values()):
        raise FileNotFoundError(
            f'`suspects` must be the folder that `mmfct suspects` wrote for a training with the tasks {list(tasks)}, '
            f'got {str(folder)!r}, which has none of {[file.name for file in files.values()]}'
        )
    right = torch.ones(len(keys), len(tasks))
    rows = {key: row for row, key in enumerate(keys.keys)}
    for column, file in enumerate(files.values()):
        if not file.is_file():
            continue
        with open_csv(file) as lines:
            table = csv.DictReader(lines)
            if not {'file', 'probability'} <= set(table.fieldnames or ()):
                raise ValueError(f'{str(file)!r} must have columns `file` and `probability`, got {table.fieldnames!r}')
            for line in table:
                row = rows.get(line['file'])
                if row is None:
                    raise ValueError(
                        f'{str(file)!r} is of another training set: it names {line["file"]!r}, which is not among '
                        f'the {len(keys)} instances here'
                    )
                if line['probability']:
                    right[row, column] = max(1 - _probability(line['probability'], file), _LEAST)
    for column, task in enumerate(tasks):
        if (right[:, column] == 1).all():
            text = f'`suspects` {str(folder)!r} tells nothing of {task!r}: there, this is no second pass'
            print_log(text, 'current', logging.WARNING)
    return right / right.mean(dim=0)


def _probability(text: str, file: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise ValueError(f'{str(file)!r} must have probabilities in [0, 1], got {text!r}')
    return value
