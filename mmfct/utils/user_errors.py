"""Report user errors on the command line in one line instead of a traceback."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_PACKAGE = Path(__file__).parents[1]
# File in which ranks leave a user error for those that torchrun starts in their place; tools/_launch.sh names it.
_ERROR_FILE = 'MMFCT_ERROR_FILE'


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
        if os.environ.get(_ERROR_FILE):
            Path(os.environ[_ERROR_FILE]).write_text(f'error: {error}\n', encoding='utf-8')
        sys.exit(2)


def leave_after_user_error() -> None:
    """Exit as the process did in whose place torchrun has started this one, if a user error ended it.

    torchrun does not look at the status: it starts all ranks again, and trying once more takes minutes and is in vain.
    The last ones remove the file.
    """
    file = Path(os.environ.get(_ERROR_FILE, ''))
    restarts, most = (os.environ.get(f'TORCHELASTIC_{name}', '0') for name in ('RESTART_COUNT', 'MAX_RESTARTS'))
    if not int(restarts) or not file.is_file():
        return
    print(file.read_text(encoding='utf-8'), end='', file=sys.stderr)
    if restarts == most:
        file.unlink(missing_ok=True)
    sys.exit(2)


def is_ours(error: BaseException) -> bool:
    """Return whether an error was raised by this package, and not by another one that it called."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and Path(trace.tb_frame.f_code.co_filename).is_relative_to(_PACKAGE)
