"""Write files and folders atomically: after a crash at any moment they are complete or absent."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(r'.+\.(json|npy)\.[0-9a-f]{32}\.tmp')
_BLOCK_BYTES = 2**20


def write_atomically(path: Path, payload: bytes | memoryview, *, overwrite: bool = True) -> None:
    """Write a file under a temporary name in its folder, then rename it.

    Once this returns, the file survives a crash of the machine. If several processes write the same file at the same
    time, the content of one of them remains, complete.

    Args:
        path: The file.
        payload: Its content.
        overwrite: Whether to replace an existing file.

    Raises:
        FileExistsError: If the file exists and ``overwrite`` is false. Test and creation are one step (a hard link),
            so exactly one of several processes succeeds.
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
    _sync_folder(path.parent)


@contextlib.contextmanager
def replaced_when_done(path: Path) -> Iterator[Path]:
    """Replace a file or create a folder atomically, for libraries that write to a path of their own.

    Yields a path in a temporary folder beside ``path``, which is renamed to ``path`` at the end of the block. If the
    block fails, nothing is left behind. What a killed process has left is removed by the next one that writes
    ``path``. Several processes may write it at the same time.

    Args:
        path: The file, which is replaced if it exists, or the folder, which must not exist.
    """
    _remove_leftovers(path)
    folder, lock = _locked_folder(path)
    temporary = folder / path.name
    try:
        yield temporary
        for file in sorted(temporary.iterdir()) if temporary.is_dir() else [temporary]:
            with open(file, 'rb') as written:
                os.fsync(written.fileno())
        if temporary.is_dir():
            _sync_folder(temporary)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(folder)
        os.close(lock)
    _sync_folder(path.parent)


def is_temporary(path: Path) -> bool:
    """Whether a file is what an interrupted `write_atomically` of a JSON or ``.npy`` file left behind."""
    return _TEMPORARY.fullmatch(path.name) is not None


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal digits; the file is read in blocks."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make new names durable: names belong to the folder, not to the files."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _locked_folder(path: Path) -> tuple[Path, int]:
    """Create a temporary folder that is locked until the descriptor is closed or this process ends."""
    while True:
        folder = path.with_name(f'{path.name}.{uuid.uuid4().hex}.tmp')
        folder.mkdir()
        # Another process that removes leftovers may find the folder before it is locked.
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            _lock(lock, fcntl.LOCK_EX)  # without locks, nobody removes anything
            if _is_open(folder, lock):
                return folder, lock
            os.close(lock)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary folders of ``path`` that no living process has locked."""
    pattern = re.compile(re.escape(path.name) + r'\.[0-9a-f]{32}\.tmp')
    for folder in [entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name) and entry.is_dir()]:
        with contextlib.suppress(FileNotFoundError, PermissionError):  # already removed, or somebody else's
            lock = os.open(folder, os.O_RDONLY)
            try:
                if _lock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB) and _is_open(folder, lock):
                    shutil.rmtree(folder)
            finally:
                os.close(lock)


def _lock(descriptor: int, operation: int) -> bool:
    """Lock a folder; ``False`` if it is in use, or on a file system without locks."""
    try:
        fcntl.flock(descriptor, operation)
    except OSError:
        return False
    return True


def _is_open(folder: Path, descriptor: int) -> bool:
    """Whether a folder still exists and is the one that the descriptor refers to."""
    try:
        return os.path.samestat(os.stat(folder), os.fstat(descriptor))
    except FileNotFoundError:
        return False
