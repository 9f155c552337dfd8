"""Report user errors on the command line in one line instead of a traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


@contextlib.contextmanager
def user_errors(*, of_others: bool = True) -> Iterator[None]:
    """Print the message of an error about bad input or files, and exit with status 2 as argparse does.

    Args:
        of_others: Whether to include errors that other packages raise. Not in a training: it runs code of the hosts
            and of the user, whose tracebacks are needed.
    """
    try:
        yield
    except (OSError, ImportError, ValueError) as error:
        if not of_others and not is_ours(error):
            raise
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)


def is_ours(error: BaseException) -> bool:
    """Return whether an error was raised by this package, and not by another one that it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and Path(trace.tb_frame.f_code.co_filename).is_relative_to(_PACKAGE)
