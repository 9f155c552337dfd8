"""The record of a shard, which says that its files are safely on disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .atomic_files import file_sha256, write_atomically
from .gallery_column import Column
from .gallery_description import Shard
from .gallery_manifest import encode_json


def record_file(folder: Path, shard: Shard) -> Path:
    """Where the record of a shard is until the manifest takes it over."""
    return folder / f'shard-{shard.index:05d}.json'


def write_shard_files(folder: Path, shard: Shard, payloads: Mapping[Column, memoryview]) -> dict[str, Any]:
    """Write the files of a shard, then its record.

    Args:
        folder: Where the gallery is.
        shard: Which shard.
        payloads: Content of each file.

    Returns:
        The record: rows, and name, size and checksum of each file.
    """
    files = {}
    for column, payload in payloads.items():
        name = column.file_name(shard.index)
        write_atomically(folder / name, payload)
        files[column.name] = _entry(name, payload.nbytes, hashlib.sha256(payload).hexdigest())
    record = _record(shard, files)
    # Last, because it vouches for the files.
    write_atomically(record_file(folder, shard), encode_json(record))
    return record


def read_intact_record(folder: Path, shard: Shard, columns: Iterable[Column]) -> dict[str, Any] | None:
    """Return the record of a shard if the files are what it says, else ``None``."""
    files = {}
    try:
        record = json.loads(record_file(folder, shard).read_bytes())
        for column in columns:
            file = folder / column.file_name(shard.index)
            files[column.name] = _entry(file.name, file.stat().st_size, file_sha256(file))
    except (FileNotFoundError, ValueError):
        return None
    return record if record == _record(shard, files) else None


def _record(shard: Shard, files: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {'start': shard.start, 'stop': shard.stop, 'files': files}


def _entry(name: str, size: int, checksum: str) -> dict[str, Any]:
    return {'name': name, 'bytes': size, 'sha256': checksum}
