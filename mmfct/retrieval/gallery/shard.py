"""The files of one shard: a ``.npy`` file per column, and a record of them while the gallery is being written.

The record lists name, size and checksum of each file. It is written last, so a shard with a record that matches its
files is complete; the manifest takes the records over when the gallery is finished.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mmfct.retrieval.gallery.description import Column, Shard
from mmfct.retrieval.gallery.texts import check_texts, decode_texts, encode_texts
from mmfct.utils.files import file_sha256, write_atomically
from mmfct.utils.json import encode_json

_VALUES_PER_BLOCK = 2**20
# What a file system says that cannot map files into memory, such as some network drives.
_CANNOT_MAP = frozenset([errno.ENODEV, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL])
_REPAIR = 'restore the file, or remove the folder and write the gallery again'


class ShardFile(NamedTuple):
    """The entry of a file in the manifest."""

    column: Column
    shard: Shard
    bytes: int
    sha256: str


def encode_rows(array: np.ndarray, column: Column, rows: int) -> memoryview:
    """Check the rows of one column in a shard and encode them as a ``.npy`` file.

    Args:
        array: Rows of shape (rows, width) or (rows,). Floats are cast to the dtype of a float column; any other dtype
            must be of the column's kind and fit without loss.
        column: The column.
        rows: Number of rows of the shard.

    Raises:
        ValueError: If dtype or shape differ, or rows hold NaN or infinite values.
    """
    array = np.asarray(array)
    if column.is_text:
        return _encode(encode_texts(_checked_texts(array, column, rows)))
    dtype = column.numpy_dtype
    fits = dtype.kind == 'f' or np.can_cast(array.dtype, dtype, 'safe')
    if array.dtype.kind != dtype.kind or not fits:
        raise ValueError(f'`{column.name}` must be {column.dtype}, got {array.dtype}')
    if array.shape != column.shape(rows):
        raise ValueError(f'`{column.name}` must have shape {column.shape(rows)}, got {array.shape}')
    with np.errstate(over='ignore'):  # values that are too large become infinite and are refused below
        array = np.ascontiguousarray(array, dtype)
    bad = count_bad_rows(array)
    if bad:
        raise ValueError(
            f'`{column.name}` must be finite as {column.dtype}, got {bad} rows with NaN or infinite values'
        )
    return _encode(array)


def record_file(folder: Path, shard: Shard) -> Path:
    """Return the path of the record of a shard."""
    return folder / f'shard-{shard.index:05d}.json'


def write_shard_files(folder: Path, shard: Shard, payloads: Mapping[Column, memoryview]) -> dict[str, Any]:
    """Write the files of a shard, then its record.

    Args:
        folder: Folder of the gallery.
        shard: The shard.
        payloads: Content of the file of each column.

    Returns:
        The record.
    """
    files = {}
    for column, payload in payloads.items():
        name = column.file_name(shard.index)
        write_atomically(folder / name, payload)
        files[column.name] = _entry(name, payload.nbytes, hashlib.sha256(payload).hexdigest())
    record = _record(shard, files)
    # Last, because it vouches for the files.
    write_atomically(record_file(folder, shard), encode_json(record, sort_keys=True))
    return record


def read_intact_record(folder: Path, shard: Shard, columns: Iterable[Column]) -> dict[str, Any] | None:
    """Return the record of a shard if it matches the files, else ``None``."""
    files = {}
    try:
        record = json.loads(record_file(folder, shard).read_bytes())
        for column in columns:
            file = folder / column.file_name(shard.index)
            files[column.name] = _entry(file.name, file.stat().st_size, file_sha256(file))
    except (FileNotFoundError, ValueError):
        return None
    return record if record == _record(shard, files) else None


def check_file(folder: Path, file: ShardFile, *, verify: bool) -> None:
    """Check a file against its entry in the manifest.

    Args:
        folder: Folder of the gallery.
        file: The entry.
        verify: Whether to read the whole file, not only its size, dtype and shape.

    Raises:
        FileNotFoundError: If it is missing.
        ValueError: If it differs from its entry or has rows with NaN or infinite values.
    """
    path = folder / file.column.file_name(file.shard.index)
    if not path.is_file():
        raise FileNotFoundError(f'a gallery needs all its files, got none at {path}; {_REPAIR}')
    size = path.stat().st_size
    if size != file.bytes:
        raise ValueError(f'{path} must have {file.bytes} bytes, got {size}; {_REPAIR}')
    rows = file.shard.stop - file.shard.start
    if file.column.is_text and not verify:
        check_texts(map_npy(path), rows)  # without decoding them
        return
    array = open_rows(path, file.column, rows)
    if verify and file_sha256(path) != file.sha256:
        raise ValueError(f'{path} must match its checksum, got other content; {_REPAIR}')
    bad = count_bad_rows(array) if verify else 0
    if bad:
        raise ValueError(f'{path} must be finite, got {bad} rows with NaN or infinite values')


def open_rows(file: Path, column: Column, rows: int) -> np.ndarray:
    """Map the file of one shard into memory, read-only; texts of any length are decoded.

    Returns:
        Rows of shape (rows, width) or (rows,).

    Raises:
        ValueError: If the file is no plain ``.npy`` file, or has another dtype or shape.
    """
    array = map_npy(file)
    if column.is_text:
        try:
            return decode_texts(array, rows)
        except ValueError as error:
            raise ValueError(f'{file} must hold texts, got other content: {error}; {_REPAIR}') from error
    if (array.dtype, array.shape) != (column.numpy_dtype, column.shape(rows)):
        raise ValueError(
            f'{file} must hold {column.dtype} of shape {column.shape(rows)}, got {array.dtype} of shape {array.shape}'
        )
    return array


def map_npy(file: Path) -> np.ndarray:
    """Map a ``.npy`` file into memory, read-only; where the file system cannot, read it.

    Raises:
        ValueError: If it is cut off, or no ``.npy`` file of plain numbers or texts.
    """
    try:
        # np.load calls this for .npy files; called directly, it accepts no other format and no pickled objects.
        return np.lib.format.open_memmap(file, mode='r')
    except Exception as error:  # a damaged header raises anything, from SyntaxError to tokenize.TokenError
        if isinstance(error, OSError) and error.errno in _CANNOT_MAP:
            with open(file, 'rb') as content:
                return np.lib.format.read_array(content, allow_pickle=False)
        raise ValueError(f'{file} must be a .npy file of plain numbers: {error}') from error


def _checked_texts(array: np.ndarray, column: Column, rows: int) -> np.ndarray:
    if array.dtype.kind not in 'OU' or not all(isinstance(text, str) for text in array.reshape(-1).tolist()):
        raise ValueError(f'`{column.name}` must be {column.dtype}, got {array.dtype}')
    if array.shape != column.shape(rows):
        raise ValueError(f'`{column.name}` must have shape {column.shape(rows)}, got {array.shape}')
    return array


def _encode(array: np.ndarray) -> memoryview:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getbuffer()


def count_bad_rows(array: np.ndarray) -> int:
    """Count rows with NaN or infinite values, in bounded memory.

    Args:
        array: One row or more, of shape (rows, width) or (rows,), of any dtype.
    """
    if array.dtype.kind != 'f':
        return 0
    step = max(1, _VALUES_PER_BLOCK // array[0].size)
    bad = 0
    for start in range(0, len(array), step):
        finite = np.isfinite(array[start : start + step])
        bad += int(np.count_nonzero(~finite.reshape(len(finite), -1).all(axis=1)))
    return bad


def _record(shard: Shard, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {'start': shard.start, 'stop': shard.stop, 'files': files}


def _entry(name: str, size: int, checksum: str) -> dict[str, Any]:
    return {'name': name, 'bytes': size, 'sha256': checksum}
