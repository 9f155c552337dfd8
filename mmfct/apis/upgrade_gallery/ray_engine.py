"""Compute the shards of an upgrade on a Ray cluster."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from types import ModuleType
from typing import Any

from mmfct.apis.upgrade_gallery.job import UpgradeJob
from mmfct.retrieval.gallery.description import Shard
from mmfct.retrieval.gallery.writer import write_behind

# Errors of the user are returned as text: Ray would wrap exceptions in its own tracebacks.
_USER_ERRORS = dict(FileNotFoundError=FileNotFoundError, ValueError=ValueError)


def ray_module() -> ModuleType:
    """Import Ray Data.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import ray.data
    except ImportError as error:
        raise ImportError("the engine 'ray' needs Ray Data; install it with `pip install 'mmfct[ray]'`") from error
    return ray


class ShardUpgrader:
    """Worker of Ray that opens the job once, then computes and writes shards.

    No rows pass through Ray: workers read the gallery and write the result on disks that all machines share.

    Args:
        words: Arguments of `UpgradeJob` by name.
    """

    def __init__(self, words: dict[str, Any]) -> None:
        self._words = words

    @cached_property
    def _job(self) -> UpgradeJob:
        return UpgradeJob(**self._words)

    def __call__(self, row: dict[str, int]) -> dict[str, Any]:
        """Upgrade shard ``index``, ``start`` to ``stop``; return its ``rows`` and ``zero_rows``, or an ``error``."""
        shard = Shard(**row)
        try:
            before = self._job.zero_rows
            with write_behind(self._job.writer) as write:
                write(shard.index, self._job.compute(shard))
            zero_rows = self._job.zero_rows - before
        except (FileNotFoundError, ValueError) as error:
            missing = isinstance(error, FileNotFoundError)
            return dict(
                rows=0, zero_rows=0, error='FileNotFoundError' if missing else 'ValueError', message=str(error)
            )
        return dict(rows=shard.stop - shard.start, zero_rows=zero_rows, error='', message='')


def upgrade_on_ray(
    words: dict[str, Any], shards: Sequence[Shard], advance: Callable[[int], None], *, gpus: int = 0
) -> int:
    """Compute and write shards on all CPUs, or GPUs, of a Ray cluster.

    The cluster is the one that this process is connected to, or one that Ray finds (``RAY_ADDRESS``, or started on
    this machine), or else a new one on this machine that is shut down at the end. If a machine
    dies, Ray starts its workers elsewhere, and they compute its unfinished shards again.

    Args:
        words: Arguments of `UpgradeJob` by name; paths must be valid on every machine.
        shards: The shards.
        advance: Called shard by shard with the number of rows that are done.
        gpus: Number of GPUs per worker; with 0, a worker gets a CPU.

    Returns:
        Number of embeddings that are all zero, see `UpgradeJob`.

    Raises:
        FileNotFoundError: As from `UpgradeJob` and `UpgradeJob.compute`, on any machine.
        ImportError: If Ray is not installed.
        ValueError: Likewise.
    """
    ray = ray_module()
    with _connected(ray):
        rows = [shard._asdict() for shard in shards]
        dataset = ray.data.from_items(rows, override_num_blocks=len(rows)).map(
            ShardUpgrader,
            fn_constructor_args=(words,),
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=len(rows)),
            num_cpus=0 if gpus else 1,
            num_gpus=gpus,
        )
        zero_rows = 0
        dataset.context.enable_progress_bars = False  # ours is shown instead
        for done in dataset.iter_rows():
            if done['error']:
                raise _USER_ERRORS[done['error']](done['message'])
            advance(done['rows'])
            zero_rows += done['zero_rows']
        return zero_rows


@contextlib.contextmanager
def _connected(ray: ModuleType) -> Iterator[None]:
    """Connect to Ray unless this process is connected, and restore the previous state at the end."""
    logger = logging.getLogger('ray.data')
    level, handler = logger.level, signal.getsignal(signal.SIGTERM)
    logger.setLevel(logging.ERROR)
    connect = not ray.is_initialized()
    try:
        if connect:
            os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # no usage statistics unless the user asks for them
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            signal.signal(signal.SIGTERM, handler)  # Ray's own handler would exit with status 0
        yield
    finally:
        if connect:
            ray.shutdown()
        logger.setLevel(level)
