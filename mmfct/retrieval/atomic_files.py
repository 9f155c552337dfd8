"""Files that are either complete or absent, whenever the process is killed."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from pathlib import Path

_TEMPORARY = re.compile(r'.+\.(json|npy)\.[0-9a-f]{32}\.tmp')
_BLOCK_BYTES = 2**20


def write_atomically(path: Path, payload: bytes | memoryview, *, overwrite: bool = True) -> None:
    """Write a file under a temporary name in its folder, then give it its own name.

    When this returns the file survives a crash of the machine. Several processes may write the
    same file at the same time: one of them wins, whole.

    Args:
        path: The file.
        payload: Its content.
        overwrite: Whether to replace an existing file.

    Raises:
        FileExistsError: If the file exists and ``overwrite`` is false. The test and the creation
            are one step (a hard link), so of several processes exactly one succeeds.
    """
    temporary = path.with_name(f'{path.name}.{uuid.uuid4().hex}.tmp')
    try:
        with open(temporary, 'xb') as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(temporary, path)
        else:
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def is_temporary(path: Path) -> bool:
    """Whether a file is the leftover of an interrupted :func:`write_atomically`."""
    return _TEMPORARY.fullmatch(path.name) is not None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file as hexadecimal digits, read in blocks."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the new name durable: a name belongs to the folder, not to the file."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
