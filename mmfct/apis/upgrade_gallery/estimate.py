"""Estimate what an upgrade costs, in comparison with a backfill."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from mmfct.apis.upgrade_gallery.rows import bytes_per_row, compute_columns, open_upgrade, upgraded_columns
from mmfct.retrieval.stores.options import SourceOptions

_PROBE = 32768  # rows that are timed


@dataclass(frozen=True)
class UpgradeEstimate:
    """What an upgrade would cost.

    Args:
        vectors: Number of embeddings.
        bytes_read: Size of the gallery.
        bytes_written: Size of the upgraded gallery.
        seconds: Time of the transformation on this machine, extrapolated from a part of the rows.
        backfill_seconds: Time of the new model for as many images, on the machine where the transform was exported;
            ``None`` if it was not measured.
    """

    vectors: int
    bytes_read: int
    bytes_written: int
    seconds: float
    backfill_seconds: float | None

    def __str__(self) -> str:
        lines = [
            f'vectors          {self.vectors:,}',
            f'bytes to read    {self.bytes_read:,}',
            f'bytes to write   {self.bytes_written:,}',
            f'time, about      {self.seconds:,.1f} s, reading and writing not counted',
        ]
        if self.backfill_seconds is not None:
            ratio = self.backfill_seconds / self.seconds
            lines.append(
                f'a backfill       {self.backfill_seconds:,.1f} s, {ratio:,.0f} x as long, images not counted'
            )
        return '\n'.join(lines)


def estimate_upgrade(
    gallery: str,
    transforms: Sequence[str],
    *,
    dtype: str = 'float32',
    batch_size: int = 1024,
    device: str | None = None,
    options: SourceOptions | None = None,
) -> UpgradeEstimate:
    """Estimate what `upgrade_gallery` would cost from a part of the rows; arguments and errors as there."""
    source, chain = open_upgrade(gallery, transforms, dtype, device, batch_size, options)
    stop = min(len(source), _PROBE)
    computed = compute_columns(chain, source, 0, min(batch_size, stop))  # the first call is slower
    started = time.perf_counter()
    for first in range(0, stop, batch_size):
        compute_columns(chain, source, first, min(first + batch_size, stop))
    seconds = (time.perf_counter() - started) * len(source) / stop
    bytes_read = bytes_per_row(source.columns)
    per_image = chain.transforms[-1].description.backfill_seconds
    return UpgradeEstimate(
        vectors=len(source),
        bytes_read=len(source) * bytes_read,
        bytes_written=len(source) * bytes_per_row(upgraded_columns(source, computed)),
        seconds=seconds,
        backfill_seconds=None if per_image is None else per_image * len(source),
    )
