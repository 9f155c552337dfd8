"""Ids and labels in the files beside a ``.npy`` file of vectors."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.shard import map_npy
from mmfct.retrieval.stores.columns import TEXT, VECTOR, VectorColumns, choose_columns
from mmfct.retrieval.stores.packed_texts import PackedTexts, read_lines
from mmfct.retrieval.stores.say import say_once

_IDS = ('.ids.npy', '.ids.txt', '.ids.csv', '.csv')
_LABELS = ('.labels.npy', '.labels.txt')


@dataclass(frozen=True)
class FileKeys:
    """Ids, and labels if there are any.

    Args:
        ids: The ids.
        labels: The labels.
        id_name: Where the ids are, for messages.
        label_name: Where the labels are.
        files: Files that were read.
    """

    ids: np.ndarray | PackedTexts
    labels: np.ndarray | PackedTexts | None
    id_name: str
    label_name: str | None
    files: tuple[Path, ...]


def beside(path: Path, ending: str) -> Path:
    """Return the file beside ``X.npy`` that is called ``X`` and an ending."""
    return path.with_name(path.name.removesuffix('.npy') + ending)


def read_file_keys(path: Path, columns: VectorColumns) -> FileKeys:
    """Read ids and labels beside a file of vectors.

    Args:
        path: The file of vectors.
        columns: Names of the columns of a CSV file; those of other parts are not used, which is said.

    Raises:
        FileNotFoundError: If there are no ids.
        ValueError: If a file is damaged, there are several with the same content, or the CSV file lacks a
            named column.
    """
    ids, labels = _find(path, _IDS), _find(path, _LABELS)
    if ids is None:
        names = ', '.join(beside(path, ending).name for ending in _IDS)
        raise FileNotFoundError(
            f'{str(path)!r} must have ids beside it, one for each row, in one of {names}, got none'
        )
    is_csv = ids.suffix == '.csv'
    # No error: the names may be those of a table of a database that is given in the same command.
    if columns.vector or columns.side or (not is_csv and (columns.id or columns.label)):
        say_once(f'{str(path)!r}: only a CSV file beside it has named columns; others are not used')
    files = tuple(file for file in (ids, labels) if file is not None)
    stored = None if labels is None or columns.label == '' else _read(labels)
    label_name = None if labels is None or stored is None else labels.name
    if not is_csv:
        return FileKeys(_read(ids), stored, ids.name, label_name, files)
    header = next(_csv_rows(ids))
    # The vectors are not in the CSV file; a name that no header has stands for them.
    available = {'\0': VECTOR} | dict.fromkeys(header, TEXT)
    chosen = choose_columns(available, VectorColumns('\0', columns.id, columns.label, ''), ids)
    texts = PackedTexts(row[header.index(chosen.id)] for row in _csv_body(ids))
    if chosen.label is not None and labels is not None:
        raise ValueError(
            f'labels must be in one file, got a column {chosen.label!r} in {ids} and {labels}; remove one, or give an '
            'empty name for `--label-column`'
        )
    if chosen.label is None:
        return FileKeys(texts, stored, f'{ids.name}:{chosen.id}', label_name, files)
    position = header.index(chosen.label)
    named = PackedTexts(row[position] for row in _csv_body(ids))
    return FileKeys(texts, named, f'{ids.name}:{chosen.id}', f'{ids.name}:{chosen.label}', files)


def values_at(keys: np.ndarray | PackedTexts, start: int, stop: int) -> list[Any]:
    """Return ids or labels from row ``start`` up to, not including, ``stop``."""
    if isinstance(keys, PackedTexts):
        return keys.rows(start, stop)
    values: list[Any] = keys[start:stop].tolist()
    return values


def _find(path: Path, endings: tuple[str, ...]) -> Path | None:
    found = [file for file in (beside(path, ending) for ending in endings) if file.is_file()]
    if len(found) > 1:
        names = ' and '.join(file.name for file in found)
        raise ValueError(f'which file belongs to {str(path)!r}? Got {names}; remove one')
    return found[0] if found else None


def _read(file: Path) -> np.ndarray | PackedTexts:
    if file.suffix != '.npy':
        return read_lines(file)
    array = map_npy(file)
    if array.ndim != 1 or array.dtype.kind not in 'iuUf':
        raise ValueError(f'{file} must hold texts or integers of shape (N,), got {array.dtype} of {array.shape}')
    return array


def _csv_body(file: Path) -> Iterator[list[str]]:
    rows = _csv_rows(file)
    width = len(next(rows))
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise ValueError(f'every row of {file} must have {width} fields, got {len(row)} in row {number}')
        yield row


def _csv_rows(file: Path) -> Iterator[list[str]]:
    try:
        with open(file, encoding='utf-8-sig', newline='') as lines:
            rows = csv.reader(lines)
            header = next(rows, None)
            if header is None:
                raise ValueError(f'{file} must begin with the names of its columns, got an empty file')
            yield header
            yield from rows
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f'{file} must be CSV in UTF-8: {error}') from error
