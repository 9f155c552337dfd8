"""Long work that can be interrupted and resumed."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType


class _Terminated(BaseException):
    """SIGTERM arrived; no ``Exception``, so that nothing on the way takes it for an error of its own."""


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """End the process cleanly on SIGINT (status 130) and SIGTERM (143), and say how to go on.

    What is being written at that moment is either complete or absent afterwards; the same command goes on from there.
    Only the main thread of a program may use it.
    """

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (KeyboardInterrupt, _Terminated) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one would cut the goodbye short
        print('\ninterrupted; run the same command once more and it continues where it stopped', file=sys.stderr)
        sys.exit(130 if isinstance(stop, KeyboardInterrupt) else 143)
    finally:
        signal.signal(signal.SIGTERM, previous)
