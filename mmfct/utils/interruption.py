"""Stop a long job cleanly on SIGINT or SIGTERM."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType


class _Terminated(BaseException):
    """SIGTERM arrived. Not an ``Exception``, so that no handler of errors on the way catches it."""


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """Exit on SIGINT (status 130) and SIGTERM (status 143), with a line that says how to continue.

    Meant for work whose files are complete or absent at any moment, so that the same command continues it. Only the
    main thread may use it.
    """

    def terminate(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    except (KeyboardInterrupt, _Terminated) as stop:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not cut the message short
        print('\ninterrupted; run the same command once more and it continues where it stopped', file=sys.stderr)
        sys.exit(130 if isinstance(stop, KeyboardInterrupt) else 143)
    finally:
        signal.signal(signal.SIGTERM, previous)
