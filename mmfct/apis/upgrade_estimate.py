"""What an upgrade would take, beside what a backfill would."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UpgradeEstimate:
    """The answer of `estimate_upgrade`.

    Args:
        rows: Vectors to upgrade.
        bytes_read: Bytes of the gallery.
        bytes_written: Bytes of the result.
        seconds_per_row: Measured on the first rows, writing not counted.
        backfill_seconds_per_row: Time of the new model for an image; ``None`` if unknown.
        backfill_is_measured: Whether that was measured; otherwise it is what the new model's multiplications take at
            the rate of the transform's, without reading and decoding images.
    """

    rows: int
    bytes_read: int
    bytes_written: int
    seconds_per_row: float
    backfill_seconds_per_row: float | None
    backfill_is_measured: bool

    def summary(self) -> str:
        """Return a table."""
        per_row = 1e3 * self.seconds_per_row
        lines = [
            f'vectors           {self.rows:,}',
            f'to read           {_bytes(self.bytes_read)}',
            f'to write          {_bytes(self.bytes_written)}',
            f'upgrade           {_time(self.rows * self.seconds_per_row)} ({per_row:.4g} ms per item)',
        ]
        backfill = self.backfill_seconds_per_row
        if backfill is None:
            lines.append('backfill instead  unknown; say how many images per second the new model embeds')
        else:
            ratio = backfill / self.seconds_per_row
            how = 'as measured' if self.backfill_is_measured else 'its matrix products alone, at the same rate'
            line = f'backfill instead  {_time(self.rows * backfill)} ({1e3 * backfill:.4g} ms per item, {how}): '
            lines.append(f'{line}{ratio:.3g} times as long')
        return '\n'.join(lines)


def _bytes(count: float) -> str:
    for unit in ('B', 'kB', 'MB', 'GB'):
        if count < 1000:
            return f'{count:.3g} {unit}'
        count /= 1000
    return f'{count:,.3g} TB'


def _time(seconds: float) -> str:
    if seconds < 120:
        return f'{seconds:.3g} s'
    if seconds < 7200:
        return f'{seconds / 60:.3g} min'
    return f'{seconds / 3600:,.3g} h'
