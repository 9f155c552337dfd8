"""Read Parquet files and turn their columns into those of a gallery.

Only one file is open at a time, so a gallery may have more files than a process may open.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import Column
from mmfct.retrieval.gallery.texts import text_dtype

# Columns that are read from Parquet of other programs, and whether a gallery needs them.
_COLUMNS = {'embedding': True, 'side_info': False, 'id': True, 'label': False}


def arrow_module() -> ModuleType:
    """Import pyarrow.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow; install it with `pip install 'mmfct[parquet]'`") from error
    return pyarrow


def open_parquet(path: Path) -> Any:
    """Open a file as a ``ParquetFile``, which is a context manager.

    Raises:
        ValueError: If it is not Parquet.
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
                raise ValueError(f'{path} is damaged: {" ".join(str(error).split())}') from error
            if batch is None:
                return
            yield batch


def describe_columns(files: Sequence[Path]) -> dict[str, tuple[str, int | None]]:
    """Describe the columns that a gallery of Parquet from another program will have.

    Args:
        files: Parquet files of one schema.

    Returns:
        Dtype and width by name.

    Raises:
        ValueError: If a column is missing, has nulls or has a type that does not fit, or the files differ.
    """
    schema, *others = map(_schema, files)
    for path, other in zip(files[1:], others, strict=True):
        kinds = [{name: one.field(name).type for name in _COLUMNS if name in one.names} for one in (schema, other)]
        if kinds[0] != kinds[1]:
            raise ValueError(
                f'all files must have the same columns, got {kinds[0]} in {files[0]} and {kinds[1]} in {path}'
            )
    for name, needed in _COLUMNS.items():
        if needed and name not in schema.names:
            raise ValueError(f'Parquet must have the columns embedding and id, got {", ".join(schema.names)}')
    return {name: _describe(name, schema.field(name).type, files) for name in _COLUMNS if name in schema.names}


def column_names(files: Sequence[Path]) -> list[str]:
    """List the columns that all files have, in the order of the first."""
    first, *others = (_schema(path).names for path in files)
    return [name for name in first if all(name in other for other in others)]


def numpy_rows(values: Any, column: Column) -> np.ndarray:
    """Turn a column of Parquet into rows of a gallery.

    Args:
        values: A ``ChunkedArray``.
        column: The column of the gallery.

    Returns:
        Array of shape (rows, width) or (rows,).

    Raises:
        ValueError: If there are nulls, lists of another length, or values of another type.
    """
    types = arrow_module().types
    values = values.combine_chunks()
    _refuse_nulls(values, column.name)
    if column.width is not None:
        if not _is_list(values.type):
            raise ValueError(f'`{column.name}` must be lists of floats, got {values.type}')
        lengths = values.value_lengths().to_numpy(zero_copy_only=False)
        wrong = lengths[lengths != column.width]
        if wrong.size:
            raise ValueError(f'all lists of `{column.name}` must have length {column.width}, got {wrong[0]}')
        values = values.flatten()
        _refuse_nulls(values, column.name)
    if column.is_text or column.numpy_dtype.kind == 'U':
        texts = values.cast(arrow_module().large_string()).to_pylist()
        array = np.array(texts, dtype=object if column.is_text else None)
    else:
        array = values.to_numpy(zero_copy_only=False)
        if column.numpy_dtype.kind == 'i' and types.is_integer(values.type):
            array = values.cast(arrow_module().from_numpy_dtype(column.numpy_dtype)).to_numpy(zero_copy_only=False)
    return array if column.width is None else array.reshape(-1, column.width)


def _describe(name: str, kind: Any, files: Sequence[Path]) -> tuple[str, int | None]:
    types = arrow_module().types
    if name in ('embedding', 'side_info'):
        if not _is_list(kind) or not types.is_floating(kind.value_type):
            raise ValueError(f'`{name}` must be lists of floats, got {kind}')
        first = next((batch[name] for file in files for batch in read_batches(file, [name], 1)), None)
        if first is None:
            raise ValueError(f'Parquet must have a row, got none in {len(files)} files')
        _refuse_nulls(first, name)
        return np.dtype(kind.value_type.to_pandas_dtype()).name, len(first[0])
    if name == 'label':
        if not types.is_integer(kind):
            raise ValueError(f'`label` must be integers, got {kind}')
        return 'int64', None
    if not (types.is_string(kind) or types.is_large_string(kind) or types.is_integer(kind)):
        raise ValueError(f'`id` must be strings or integers, got {kind}')
    return text_dtype(_texts(name, files)), None


def _texts(name: str, files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        for batch in read_batches(file, [name]):
            _refuse_nulls(batch[name], name)
            yield from batch[name].cast(arrow_module().large_string()).to_pylist()


def _schema(path: Path) -> Any:
    with open_parquet(path) as file:
        return file.schema_arrow


def _is_list(kind: Any) -> bool:
    types = arrow_module().types
    return types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)


def _refuse_nulls(values: Any, name: str) -> None:
    if values.null_count:
        raise ValueError(f'`{name}` must have no nulls, got {values.null_count}')
