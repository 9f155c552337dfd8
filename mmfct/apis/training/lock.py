"""One training at a time in a folder."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from mmengine import dist
from mmengine.logging import print_log


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process trains in a folder; all ranks of a job continue together.

    The lock is released when its process ends, even if it is killed. On a file system without locks nobody waits.

    Args:
        folder: Work directory of the training; made if it is missing.
    """
    descriptor = None
    if dist.is_main_process():
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / '.lock', os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.suppress(OSError):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print_log(f'{folder}: waiting for another process that is training there', 'current')
                fcntl.flock(descriptor, fcntl.LOCK_EX)
    dist.barrier()
    try:
        yield
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                fcntl.flock(descriptor, fcntl.LOCK_UN)  # surviving loader workers share the descriptor
            os.close(descriptor)
