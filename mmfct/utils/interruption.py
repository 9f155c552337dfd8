"""Stop a long job cleanly on SIGINT or SIGTERM."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

TERMINATED = 128 + signal.SIGTERM  # exit status, as that of a shell
_GO_ON = 'run the same command once more and it continues where it stopped'


class Terminated(SystemExit):
    """SIGTERM arrived; the exit status is 143. Not an ``Exception``, so that no handler of errors catches it."""

    def __init__(self) -> None:
        super().__init__(TERMINATED)


@contextlib.contextmanager
def resumable(go_on: str = _GO_ON) -> Iterator[None]:
    """Exit on SIGINT (status 130) and SIGTERM (status 143), with a line that says how to continue.

    Meant for work whose files are complete or absent at any moment, so that the same command continues it. In other
    threads than the main one nothing changes: signals reach only that.

    Args:
        go_on: How to continue.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def terminate(number: int, frame: FrameType | None) -> None:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (KeyboardInterrupt, Terminated) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not cut the message short
        print(f'\ninterrupted; {go_on}', file=sys.stderr)
        sys.exit(130 if isinstance(stop, KeyboardInterrupt) else TERMINATED)
    finally:
        signal.signal(signal.SIGTERM, previous)
