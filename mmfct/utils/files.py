"""Write files and folders atomically: after a crash at any moment they are complete or absent.

This needs nothing of the file system but exclusive creation and renaming. Hard links and locks are used where they
exist. Where it cannot sync (some network drives, cloud buckets and FUSE), a file that is written survives a crash of
the process; whether it survives a crash of the machine is up to the file system.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = re.compile(r'.+\.(json|npy)\.[0-9a-f]{32}\.tmp')
_BLOCK_BYTES = 2**20
# What a file system says that has no hard links, or cannot sync a file or folder.
_UNSUPPORTED = frozenset(
    [errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES, errno.EMLINK, errno.EBADF]
)
# How long another process may take from creating a file to renaming the content onto it.
_CLAIM_SECONDS = 1.0


def write_atomically(path: Path, payload: bytes | memoryview, *, overwrite: bool = True, durable: bool = True) -> None:
    """Write a file under a temporary name in its folder, then rename it.

    If several processes write the same file at the same time, the content of one of them remains, complete.

    Args:
        path: The file.
        payload: Its content.
        overwrite: Whether to replace an existing file. An empty one is replaced in any case: without hard links, that
            is what a process leaves that is killed while it creates the file.
        durable: Whether the file survives a crash of the machine once this returns, if the file system can sync. For
            many small files it is faster to sync the whole file system at the end.

    Raises:
        FileExistsError: If the file exists and ``overwrite`` is false. Test and creation are one step, so exactly one
            of several processes succeeds. Without hard links, one that stops for more than a second in the middle of
            the creation counts as killed, and another one takes its place.
        OSError: If the file cannot be written; the message names it.
    """
    temporary = path.with_name(f'{path.name}.{uuid.uuid4().hex}.tmp')
    with _errors_name(path):
        try:
            with open(temporary, 'xb') as file:
                file.write(payload)
                file.flush()
                if durable:
                    _sync(file.fileno())
            if overwrite:
                os.replace(temporary, path)
            else:
                _create(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
        if durable:
            _sync_folder(path.parent)


@contextlib.contextmanager
def replaced_when_done(path: Path) -> Iterator[Path]:
    """Replace a file or create a folder atomically, for libraries that write to a path of their own.

    Yields a path in a temporary folder beside ``path``, which is renamed to ``path`` at the end of the block. If the
    block fails, nothing is left behind. What a killed process has left is removed by the next one that writes
    ``path``. Several processes may write it at the same time.

    Args:
        path: The file, which is replaced if it exists, or the folder, which must not exist.

    Raises:
        OSError: If it cannot be written; the message names it.
    """
    with _errors_name(path):
        _remove_leftovers(path)
        folder, lock = _locked_folder(path)
    temporary = folder / path.name
    try:
        yield temporary
        with _errors_name(path):
            for file in sorted(temporary.iterdir()) if temporary.is_dir() else [temporary]:
                with open(file, 'rb') as written:
                    _sync(written.fileno())
            if temporary.is_dir():
                _sync_folder(temporary)
            os.replace(temporary, path)
    finally:
        shutil.rmtree(folder)
        os.close(lock)
    with _errors_name(path):
        _sync_folder(path.parent)


def is_written(path: Path) -> bool:
    """Whether a file exists and has content: without hard links, a file is empty until `write_atomically` is done."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


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


@contextlib.contextmanager
def _errors_name(path: Path) -> Iterator[None]:
    """Let errors of the operating system name the file that is written: theirs name a temporary one, or none."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def _create(temporary: Path, path: Path) -> None:
    """Move a file to a name that does not exist, or is that of an empty file."""
    try:
        os.link(temporary, path)
        return
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            os.replace(temporary, path)
            return
    # Of another process, which may be about to rename its content onto it.
    deadline = time.monotonic() + _CLAIM_SECONDS
    while not is_written(path):
        if time.monotonic() > deadline:
            os.replace(temporary, path)
            return
        time.sleep(0.01)
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _sync(descriptor: int) -> None:
    """Make the content of a file or folder durable, where the file system can."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def _sync_folder(folder: Path) -> None:
    """Make new names durable: names belong to the folder, not to the files."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as error:
        if error.errno not in _UNSUPPORTED | {errno.EISDIR}:
            raise
        return
    try:
        _sync(descriptor)
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
