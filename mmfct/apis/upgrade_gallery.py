"""Upgrade a gallery from file to file."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from mmengine.device import get_device

from mmfct.apis.gallery_job import GalleryJob, write_gallery
from mmfct.apis.upgrade_estimate import UpgradeEstimate
from mmfct.engine.launch import init_launcher
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery_column import check_count
from mmfct.retrieval.gallery_upgrade import GalleryUpgrade, bytes_per_row
from mmfct.retrieval.transform import Transform

_SAMPLE_SECONDS = 1.0


def upgrade_gallery(
    gallery: str | Path,
    transforms: Sequence[str | Path],
    out: str | Path,
    *,
    dtype: str = 'float32',
    batch_size: int = 1024,
    device: str | None = None,
    launcher: str = 'none',
) -> GalleryJob:
    """Write a gallery whose embeddings are in the space of a new model; no image is read.

    Memory does not grow with the gallery. A job that was stopped goes on where it stopped, and the result is byte
    for byte that of one that was not.

    Args:
        gallery: Folder of the gallery, which is left alone.
        transforms: Files of `export_transform`, applied one after the other: v1 -> v2, v2 -> v3 ...
        out: Folder of the result: new, empty, or what such a job left.
        dtype: What the transforms compute in: ``'float32'``, ``'float16'`` or ``'bfloat16'``. The result is stored
            in the dtype that the gallery has.
        batch_size: Rows per matrix product.
        device: Where the transforms run; ``None`` for the accelerator, if there is one.
        launcher: What started the ranks, see `init_launcher`; each takes its share of the shards.

    Raises:
        FileNotFoundError: If the gallery, one of its files or a transform is missing.
        ValueError: If a file is damaged, a transform is not for the models of the gallery, or ``out`` holds
            something else.
    """
    init_launcher(launcher)
    upgrade = _open(gallery, transforms, dtype, batch_size, device)
    upgrade.check_output(out)
    writer = GalleryWriter(
        out,
        columns=upgrade.columns,
        num_rows=len(upgrade),
        shard_rows=upgrade.shard_rows,
        metadata=upgrade.metadata,
    )
    return write_gallery(
        writer, lambda shard, advance: upgrade.rows(shard.start, shard.stop, batch_size=batch_size, advance=advance)
    )


def estimate_upgrade(
    gallery: str | Path,
    transforms: Sequence[str | Path],
    *,
    dtype: str = 'float32',
    batch_size: int = 1024,
    device: str | None = None,
    backfill_rate: float | None = None,
) -> UpgradeEstimate:
    """Say what `upgrade_gallery` would do, from its rate on the first rows; nothing is written.

    Args:
        gallery: See `upgrade_gallery`, as for the next four.
        transforms: See there.
        dtype: See there.
        batch_size: See there.
        device: See there.
        backfill_rate: Images per second that the new model embeds, where that was measured (`extract_gallery`
            prints it); ``None`` to estimate a bound from its number of multiplications.

    Raises:
        FileNotFoundError: See `upgrade_gallery`.
        ValueError: See there; also if ``backfill_rate`` is not positive.
    """
    if backfill_rate is not None and not backfill_rate > 0:
        raise ValueError(f'`backfill_rate` must be a positive number of images per second, got {backfill_rate!r}')
    upgrade = _open(gallery, transforms, dtype, batch_size, device)
    stop, done, seconds = min(batch_size, len(upgrade)), 0, 0.0
    upgrade.rows(0, stop, batch_size=batch_size)  # warms up, and verifies the first shard
    while seconds < _SAMPLE_SECONDS:
        started = time.perf_counter()
        upgrade.rows(0, stop, batch_size=batch_size)
        seconds += time.perf_counter() - started
        done += stop
    macs = sum(transform.description.macs for transform in upgrade.transforms)
    backfill = upgrade.transforms[-1].description.backfill
    return UpgradeEstimate(
        rows=len(upgrade),
        bytes_read=len(upgrade) * bytes_per_row(upgrade.gallery.columns),
        bytes_written=len(upgrade) * bytes_per_row(upgrade.columns),
        seconds_per_row=seconds / done,
        backfill_seconds_per_row=(
            1 / backfill_rate if backfill_rate else seconds / done * backfill['macs'] / macs if backfill else None
        ),
        backfill_is_measured=backfill_rate is not None,
    )


def _open(
    gallery: str | Path, transforms: Sequence[str | Path], dtype: str, batch_size: int, device: str | None
) -> GalleryUpgrade:
    check_count(batch_size, 'batch_size')
    # Shards are verified one by one, when their turn comes: at once would read everything twice, on every rank.
    opened = Gallery(gallery, verify=False)
    device = device or get_device()
    return GalleryUpgrade(opened, [Transform.load(path, device=device, dtype=dtype) for path in transforms])
