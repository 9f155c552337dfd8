"""Files that are either complete or absent, whenever the process is killed."""

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


@contextlib.contextmanager
def replaced_when_done(path: Path) -> Iterator[Path]:
    """Give a path to write a file or a folder under; in the end it gets the place of ``path``.

    For libraries that write by name and too much to hold in memory. The path lies in a temporary folder beside
    ``path``. Where the block fails, nothing is left; what a killed process left, the next one that writes ``path``
    removes. Several processes may write it at the same time.

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
            sync_folder(temporary)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(folder)
        os.close(lock)
    sync_folder(path.parent)


def _locked_folder(path: Path) -> tuple[Path, int]:
    """Make a temporary folder, locked for as long as this process lives or until the descriptor is closed."""
    while True:
        folder = path.with_name(f'{path.name}.{uuid.uuid4().hex}.tmp')
        folder.mkdir()
        # Another process that looks for leftovers may see the folder before it is locked, and remove it.
        with contextlib.suppress(FileNotFoundError):
            lock = os.open(folder, os.O_RDONLY)
            _lock(lock, fcntl.LOCK_EX)  # where there are no locks, nobody removes anything
            if _is_open(folder, lock):
                return folder, lock
            os.close(lock)


def _remove_leftovers(path: Path) -> None:
    """Remove the temporary folders of ``path`` that no living process has locked."""
    pattern = re.compile(re.escape(path.name) + r'\.[0-9a-f]{32}\.tmp')
    for folder in [entry for entry in path.parent.iterdir() if pattern.fullmatch(entry.name) and entry.is_dir()]:
        with contextlib.suppress(FileNotFoundError, PermissionError):  # someone else was faster, or it is theirs
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
    """Whether a folder is still there, and is the one of the descriptor."""
    try:
        return os.path.samestat(os.stat(folder), os.fstat(descriptor))
    except FileNotFoundError:
        return False
