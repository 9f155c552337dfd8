"""Ids that are embedded already, and files of ids, one a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.address import is_store
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.matching import source_ids
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.utils.files import write_atomically
from mmfct.utils.id_list import read_id_list

_VECTORS = ('.npy', '.parquet')


def read_embedded(have: str | Path, vector: str | None, id_column: str | None) -> np.ndarray:
    """Read the ids of the items that are embedded already: sorted, none twice, of shape (N,).

    Args:
        have: Text file of ids; or their new vectors, which `open_source` opens: rows without one do not count.
        vector: Name of the column of the new vectors; ``None`` finds it.
        id_column: Name of the column of their ids, likewise.

    Raises:
        FileNotFoundError: If there is nothing of the kind.
        ImportError: If a package that reads it is not installed.
        ValueError: If it holds no id, or ``vector`` is named for a text file.
    """
    if is_list(have):
        if vector is not None:
            raise ValueError(f'`--have-column` needs `--have` with vectors, got the text file {str(have)!r}')
        return read_ids(Path(have))
    columns = VectorColumns(vector, None if str(have).endswith('.npy') else id_column, '', '')
    options = SourceOptions(columns, distance='l2', skip_missing=True)
    source = open_source(have, named_after_file=True, options=options)
    return np.array(sorted(name for names in source_ids(source) for name in names))


def is_list(have: str | Path) -> bool:
    """Whether the name is that of a text file, not of vectors."""
    return not is_store(have) and not Path(have).is_dir() and Path(have).suffix not in _VECTORS


def read_ids(path: Path) -> np.ndarray:
    """Read the ids of the items that are embedded already: sorted, none twice, of shape (N,).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it holds no id.
    """
    ids = sorted(set(read_id_list(path, 'have')))
    if not ids:
        raise ValueError(f'`have` must hold an id in a line, got the empty file {str(path)!r}')
    return np.array(ids)


def write_ids(ids: list[str], path: Path) -> None:
    """Write ids, one a line.

    Raises:
        ValueError: If an id has several lines.
    """
    for text in ids:
        if '\n' in text:
            raise ValueError(f'an id must be one line of text to be written to {str(path)!r}, got {text!r}')
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, ''.join(f'{text}\n' for text in ids).encode(errors='surrogateescape'))
