"""Errors of the user on the command line: one line instead of a traceback."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Print what we say about bad input, or the system about files, and exit with status 2, as argparse does."""
    try:
        yield
    except (OSError, ImportError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        sys.exit(2)
