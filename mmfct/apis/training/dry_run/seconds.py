"""Seconds per batch from those of its parts."""

from __future__ import annotations

import os


def per_batch(compute: float, loading: float, workers: int) -> float:
    """Return the seconds per batch once a data loader is running.

    Args:
        compute: Seconds in the network.
        loading: Seconds to load the batch in one process.
        workers: Workers of the loader, which load while the network computes; 0 to load in between.
    """
    if workers == 0:
        return compute + loading
    cores = max(1, (os.cpu_count() or 1) // int(os.environ.get('LOCAL_WORLD_SIZE', '1')))
    return max(compute, loading / min(workers, cores))
