"""Suspicious labels as tables for people, for cleanlab and for FiftyOne."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from mmfct.apis.find_corrupt_labels.ranking import Suspects
from mmfct.utils.files import write_atomically
from mmfct.utils.tables import csv_table


def write_suspects_csv(suspects: Suspects, folder: Path) -> Path:
    """Write ``suspects_<task>.csv``: a row per label, the most suspicious first.

    Columns: ``file`` (key of the instance), ``task``, ``probability`` (that the label is wrong), ``rank`` (share of
    other images' predictions that fit it better), ``weight``, ``score`` (what training learned; larger is more
    suspicious), ``final_loss``, ``mean_loss``, and ``corrupted`` (0 or 1) where that is known. A cell is empty where a
    value is unknown.
    """
    header = ['file', 'task', 'probability', 'rank', 'weight', 'score', 'final_loss', 'mean_loss']
    columns: list[Sequence | np.ndarray] = [suspects.files, [suspects.task] * len(suspects.files)]
    columns += [getattr(suspects, name) for name in header[2:]]
    if suspects.corrupted is not None:
        header.append('corrupted')
        columns.append(suspects.corrupted)
    return _write(folder / f'suspects_{suspects.task}.csv', header, zip(*columns, strict=True))


def write_cleanlab_csv(suspects: Suspects, folder: Path) -> Path:
    """Write ``cleanlab_<task>.csv``: as cleanlab's ``find_label_issues``, in the order of the data.

    Columns: ``index`` (of the instance), ``file``, ``is_label_issue`` (True or False) and ``label_quality``, in 0..1
    and low for bad labels: the probability that the label is right, or without evidence the share of other images'
    predictions that fit it no better.
    ``pandas.read_csv(path, index_col='index')`` gives the data frame, which ``CleanLearning.fit(label_issues=...)``
    takes: it must have a row for every label that is passed with it.
    """
    quality = 1 - (suspects.probability if suspects.wrong.evidence else suspects.rank)
    cells = zip(suspects.rows.tolist(), suspects.files, suspects.is_issue.tolist(), quality, strict=True)
    rows = [(row, file, str(issue), value) for row, file, issue, value in sorted(cells)]
    return _write(folder / f'cleanlab_{suspects.task}.csv', ['index', 'file', 'is_label_issue', 'label_quality'], rows)


def write_fiftyone_csv(ranking: Sequence[Suspects], paths: Sequence[str | None], folder: Path) -> Path:
    """Write ``fiftyone.csv``: a row per image, for FiftyOne's ``CSVDataset``.

    FiftyOne opens every file, and keeps one row of each.

    Columns: ``filepath``, absolute, and for each task ``<task>_probability``, ``<task>_score``, ``<task>_weight``,
    ``<task>_final_loss``, ``<task>_mean_loss`` and ``<task>_is_label_issue``; cells are empty where an image has no
    label. To import::

        fo.Dataset.from_dir(
            dataset_type=fo.types.CSVDataset, labels_path='/.../fiftyone.csv', fields={'seg_score': float}
        )

    Args:
        ranking: Suspects of each task.
        paths: Image file of each of the I instances; ``None`` for one without, which gets no row.
        folder: Where the file goes.
    """
    header = ['filepath']
    table: list[list[object]] = [[path and str(Path(path).absolute())] for path in paths]
    for suspects in ranking:
        names = ('probability', 'score', 'weight', 'final_loss', 'mean_loss', 'is_label_issue')
        header += [f'{suspects.task}_{name}' for name in names]
        columns = [getattr(suspects, name) for name in names[:-1]] + [suspects.is_issue]
        cells = dict(zip(suspects.rows.tolist(), zip(*columns, strict=True), strict=True))
        for row, line in enumerate(table):
            line += cells.get(row, [''] * len(names))
    return _write(folder / 'fiftyone.csv', header, [line for line in table if line[0]])


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    write_atomically(path, csv_table([header, *([_cell(value) for value in row] for row in rows)]))
    return path


def _cell(value: object) -> object:
    """Return a cell: seven digits of a number, which is what float32 holds; 0 or 1; nothing for NaN."""
    if isinstance(value, (bool, np.bool_)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return '' if math.isnan(value) else f'{value:.7g}'
    return value
