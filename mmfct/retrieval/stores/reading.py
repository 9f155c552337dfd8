"""Errors of stores while they are read, as those of this project."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def store_errors(where: str, errors: tuple[type[Exception], ...]) -> Iterator[None]:
    """Say in one line that a store could not be read, and what to do.

    Args:
        where: What messages call the store.
        errors: What it raises if it, or a part of it, is gone or damaged.

    Raises:
        FileNotFoundError: If one of these is raised.
    """
    try:
        yield
    except errors as error:
        raise FileNotFoundError(
            f'{where} must stay where it is while it is read, got {type(error).__name__}: {one_line(error)}; bring it '
            'back, or what it lacks, and run the same command again'
        ) from error


def one_line(error: BaseException) -> str:
    """Return the message of an error of another package without its line breaks."""
    return ' '.join(str(error).split())
