"""Say what was found in a store, once."""

from __future__ import annotations

from functools import cache


@cache
def say_once(text: str) -> None:
    """Log a line, once in a process: several tools open a source more than once."""
    from mmengine.logging import print_log  # here: galleries are read with numpy alone

    print_log(text, 'current')
