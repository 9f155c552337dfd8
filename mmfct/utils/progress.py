"""A progress bar for long jobs: share, rate and time left."""

from __future__ import annotations

import sys
import time

from mmengine.dist import is_main_process
from mmengine.utils import ProgressBar


class Progress:
    """Show mmengine's progress bar on rank 0, redrawn every 0.2 seconds, or every ten in a log file.

    Args:
        total: Number of items that this process will handle.
    """

    def __init__(self, total: int) -> None:
        self.done, self.total = 0, total
        self._bar = ProgressBar(total, file=sys.stdout) if total and is_main_process() else None
        self._interval = 0.2 if self._bar and self._bar.file.isatty() else 10.0
        self._drawn = time.monotonic()

    def advance(self, items: int) -> None:
        """Count finished items."""
        self.done += items
        if self._bar is None:
            return
        if self.done == self.total or time.monotonic() - self._drawn >= self._interval:
            self._bar.update(self.done - self._bar.completed)
            self._drawn = time.monotonic()
            if self.done == self.total:
                self._bar.file.write('\n')
                self._bar.file.flush()
