"""Show the progress of long jobs: share, rate and time left."""

from __future__ import annotations

import sys
import time

from mmengine.dist import is_main_process

_BAR = 30  # characters


class Progress:
    """Show progress on rank 0: a bar on a terminal, and elsewhere a line after 10 s, 20 s, 40 s ... and at the end.

    Args:
        total: Number of items that this process will handle.
        unit: What the items are, in the plural.
    """

    def __init__(self, total: int, unit: str = 'rows') -> None:
        self.done, self.total, self.unit = 0, total, unit
        self._shown = bool(total) and is_main_process()
        self._is_terminal = sys.stdout.isatty()
        self._interval = 0.2 if self._is_terminal else 10.0
        self._started = self._drawn = time.monotonic()

    def advance(self, items: int) -> None:
        """Count finished items."""
        self.done += items
        now = time.monotonic()
        if not self._shown or (self.done < self.total and now - self._drawn < self._interval):
            return
        if not self._is_terminal:
            self._interval = min(2 * self._interval, 600.0)
        self._drawn = now
        text = self._text(now - self._started)
        if self._is_terminal:
            marks = _BAR * self.done // self.total
            # Padded, to cover a longer line.
            text = f'\r[{">" * marks}{" " * (_BAR - marks)}] {text:<60}'
        sys.stdout.write(text if self._is_terminal and self.done < self.total else f'{text.rstrip(" ")}\n')
        sys.stdout.flush()

    def _text(self, seconds: float) -> str:
        rate = self.done / max(seconds, 1e-9)
        left = f'{_minutes((self.total - self.done) / rate)} left' if self.done < self.total else _minutes(seconds)
        return f'{self.done}/{self.total} {self.unit}, {rate:.4g} {self.unit}/s, {left}'


def _minutes(seconds: float) -> str:
    """Format a duration as minutes and seconds, or hours."""
    minutes, rest = divmod(round(seconds), 60)
    return f'{minutes // 60}:{minutes % 60:02d}:{rest:02d} h' if minutes >= 60 else f'{minutes}:{rest:02d} min'
