"""Fill the shards of a gallery in one pass over images."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from mmengine import dist
from mmengine.dataset import pseudo_collate, worker_init_fn
from mmengine.logging import print_log
from torch.utils.data import DataLoader, Dataset, Subset

from mmfct.retrieval import GalleryWriter
from mmfct.retrieval.gallery.writer import write_behind
from mmfct.utils.progress import Progress


def fill_shards(
    writer: GalleryWriter,
    images: Dataset,
    columns: Callable[[dict], Mapping[str, np.ndarray]],
    *,
    known: Mapping[str, Any] | None = None,
    batch_size: int,
    num_workers: int = 0,
    seed: int = 0,
    first_shard: int = 0,
) -> tuple[float, int]:
    """Compute this rank's share of the missing shards, with a progress bar.

    Args:
        writer: Writer of the gallery; row r belongs to image ``r % len(images)``.
        images: Data set of N images, packed by the host.
        columns: Turns a batch, as ``pseudo_collate`` makes it, into the rows of its columns.
        known: Columns of shape (num_rows, ...) that need no image: arrays, or what gives arrays for slices.
        batch_size: Images per forward pass.
        num_workers: Worker processes of the data loader.
        seed: Seed of the transforms; shard k is seeded with ``seed + k``, on whichever rank it is computed.
        first_shard: Number of the first shard in the whole gallery, of which this one is a part.

    Returns:
        Seconds, and the number of rows computed in them.
    """
    number = len(images)  # type: ignore[arg-type]  # torch's Dataset declares no length
    rank, world_size = dist.get_dist_info()
    pending = writer.pending(rank=rank, world_size=world_size)
    total = sum(stop - start for _, start, stop in pending)
    started = time.perf_counter()
    if dist.is_main_process() and pending:
        print_log(f'Computing embeddings of {number} images ({len(writer.shards)} shards)', 'current')
    progress = Progress(total, 'images')
    with write_behind(writer) as write:
        for index, start, stop in pending:
            number_of_all = first_shard + index
            parts: dict[str, list[np.ndarray]] = {}
            with seeded(seed + number_of_all):
                loader = DataLoader(
                    Subset(images, [row % number for row in range(start, stop)]),
                    batch_size,
                    num_workers=num_workers,
                    collate_fn=pseudo_collate,
                    # The host's seed is `num_workers * rank + worker + seed`: no two workers of two shards share one.
                    worker_init_fn=partial(_start_worker, num_workers=num_workers, rank=number_of_all, seed=seed),
                )
                for batch in loader:
                    for name, values in columns(batch).items():
                        parts.setdefault(name, []).append(values)
                    progress.advance(len(batch['data_samples']))
            rows: dict[str, Any] = {name: np.concatenate(values) for name, values in parts.items()}
            write(index, rows | {name: column[start:stop] for name, column in (known or {}).items()})
    return time.perf_counter() - started, total


def _start_worker(worker: int, **options: int) -> None:
    """Ignore Ctrl-C, which a terminal sends to every process of a job: the main process handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker_init_fn(worker, **options)


def time_per_item(seconds: float, number: int) -> str:
    """Format the time per item; empty if there was nothing left to do."""
    return f', {1000 * seconds / number:.4g} ms per item' if number else ''


def finish_together(writer: GalleryWriter) -> None:
    """Mark a gallery as complete once every rank has written its share; all ranks must call this."""
    dist.barrier()
    if dist.is_main_process():
        writer.finish()
    dist.barrier()


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the generators that transforms draw from, and restore their state afterwards."""
    state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed)
        torch.default_generator.manual_seed(seed)  # not those of GPUs, which would have to be restored too
        try:
            yield
        finally:
            random.setstate(state[0])
            np.random.set_state(state[1])
