"""End cleanly when somebody presses Ctrl-C or a cluster wants its machine back."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Interruption(BaseException):
    """Raised where the program is when the signal arrives; no `except Exception` stops it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextlib.contextmanager
def resumable() -> Iterator[None]:
    """End the program on SIGINT and SIGTERM with status 130 or 143 and say how to go on.

    Finished shards stay; temporary files are removed on the way out. A second signal ends the program at once.
    """
    before = {number: signal.signal(number, _interrupt) for number in _SIGNALS}
    try:
        yield
    except _Interruption as interruption:
        name = signal.Signals(interruption.number).name
        print(f'\n{name}: stopped; run the same command again and it continues where it stopped', file=sys.stderr)
        sys.exit(128 + interruption.number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: object) -> None:
    for other in _SIGNALS:
        signal.signal(other, signal.SIG_DFL)
    raise _Interruption(number)
