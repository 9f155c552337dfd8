"""Write the shards of a gallery: over ranks, with progress, from where an earlier run stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine import dist
from mmengine.logging import print_log

from mmfct.apis.progress import Progress
from mmfct.retrieval import GalleryWriter, is_complete
from mmfct.retrieval.gallery_description import Shard

ComputeShard = Callable[[Shard, Callable[[int], None]], Mapping[str, np.ndarray]]


@dataclass(frozen=True)
class GalleryJob:
    """What a job did.

    Args:
        path: Folder of the gallery, which is complete now.
        num_rows: Rows of the gallery.
        computed: Rows that this process computed; 0 if the gallery was complete before.
        seconds: Time that took, reading and writing counted.
    """

    path: Path
    num_rows: int
    computed: int
    seconds: float

    def summary(self) -> str:
        """Say it in a line."""
        if not self.computed:
            return f'{self.path}: all {self.num_rows} items were there already'
        per_item = 1000 * self.seconds / self.computed
        return f'{self.path}: {self.computed} items in {self.seconds:.1f} s, {per_item:.4g} ms per item'


def write_gallery(writer: GalleryWriter, compute: ComputeShard) -> GalleryJob:
    """Compute and write all pending shards and finish the gallery; under several ranks each does its share.

    Args:
        writer: The gallery, opened with the same description on every rank.
        compute: Returns the columns of a shard; calls its second argument with the number of items it has done.
    """
    rank, world_size = dist.get_dist_info()
    pending = writer.pending(rank=rank, world_size=world_size)
    total = sum(stop - start for _, start, stop in pending)
    skipped = sum(stop - start for _, start, stop in writer.shards[rank::world_size]) - total
    if skipped and total:
        print_log(f'{writer.path}: {skipped} items are there already, {total} to go', 'current')
    progress = Progress(total)
    started = time.perf_counter()
    # One shard is written, by a thread that mostly waits for the disk, while the next one is computed.
    with ThreadPoolExecutor(max_workers=1) as thread:
        writing: Future[None] | None = None
        for shard in pending:
            if is_complete(writer.path):  # another process that does the same job was faster
                break
            arrays = compute(shard, progress.advance)
            if writing is not None:
                writing.result()
            writing = thread.submit(_write, writer, shard, arrays)
        if writing is not None:
            writing.result()
    seconds = time.perf_counter() - started
    dist.barrier()
    if dist.is_main_process():
        writer.finish()
    dist.barrier()
    job = GalleryJob(writer.path, writer.shards[-1].stop, progress.done, seconds)
    if dist.is_main_process():
        print_log(job.summary(), 'current')
    return job


def _write(writer: GalleryWriter, shard: Shard, arrays: Mapping[str, np.ndarray]) -> None:
    try:
        writer.write_shard(shard.index, arrays)
    except (FileNotFoundError, ValueError):
        # Another process that does the same job may be done by now; its last step is to remove temporary files.
        if not is_complete(writer.path):
            raise
