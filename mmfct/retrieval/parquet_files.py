"""Parquet files, one open at a time: their number is not limited by that of open files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def open_parquet(path: Path) -> Any:
    """Open a ``ParquetFile``; to be used in a ``with`` statement.

    Raises:
        ValueError: If it is none.
    """
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path, page_checksum_verification=True)
    except ValueError as error:
        raise ValueError(f'{path} must be a Parquet file: {error}') from error


def read_batches(path: Path, names: list[str], rows: int = 65536) -> Iterator[Any]:
    """Read some columns of a file in batches of at most that many rows.

    Raises:
        ValueError: If the file is damaged.
    """
    with open_parquet(path) as file:
        batches = file.iter_batches(rows, columns=names)
        while True:
            try:
                batch = next(batches, None)
            except (OSError, ValueError) as error:
                raise ValueError(f'{path} is damaged: {error}') from error
            if batch is None:
                return
            yield batch
