"""Shards of an upgrade on the machines of a Ray cluster."""

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

# What a user can do something about travels as text: Ray would wrap it in tracebacks of its own.
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
    """What a worker of Ray does: opens the job once, then computes and writes shards in place.

    Rows never travel through Ray: workers read the gallery and write the result, on disks that all machines share.

    Args:
        words: Arguments of `UpgradeJob` by name.
    """

    def __init__(self, words: dict[str, Any]) -> None:
        self._words = words

    @cached_property
    def _job(self) -> UpgradeJob:
        return UpgradeJob(**self._words)

    def __call__(self, row: dict[str, int]) -> dict[str, Any]:
        """Upgrade a shard, given by ``index``, ``start`` and ``stop``; return its ``rows``, or ``error``, message."""
        shard = Shard(**row)
        try:
            with write_behind(self._job.writer) as write:
                write(shard.index, self._job.compute(shard))
        except (FileNotFoundError, ValueError) as error:
            missing = isinstance(error, FileNotFoundError)
            return dict(rows=0, error='FileNotFoundError' if missing else 'ValueError', message=str(error))
        return dict(rows=shard.stop - shard.start, error='', message='')


def upgrade_on_ray(
    words: dict[str, Any], shards: Sequence[Shard], advance: Callable[[int], None], *, gpus: int = 0
) -> None:
    """Compute and write shards on all CPUs, or GPUs, of a Ray cluster.

    The cluster is the one that this process is connected to, or that Ray finds (``RAY_ADDRESS``, or one that was
    started on this machine), or else one of this machine alone that ends with the call.

    Args:
        words: Arguments of `UpgradeJob` by name; paths must be valid on every machine.
        shards: The shards.
        advance: Is told how many rows are done, shard by shard.
        gpus: Number of GPUs of a worker; without any it has a CPU.

    Raises:
        FileNotFoundError: As `UpgradeJob` and `UpgradeJob.compute`, on any machine.
        ImportError: If Ray is not installed.
        ValueError: As there.
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
        dataset.context.enable_progress_bars = False  # in favour of ours
        for done in dataset.iter_rows():
            if done['error']:
                raise _USER_ERRORS[done['error']](done['message'])
            advance(done['rows'])


@contextlib.contextmanager
def _connected(ray: ModuleType) -> Iterator[None]:
    """Connect to Ray, unless this process is connected already, and leave everything as it was."""
    logger = logging.getLogger('ray.data')
    level, handler = logger.level, signal.getsignal(signal.SIGTERM)
    logger.setLevel(logging.ERROR)
    connect = not ray.is_initialized()
    try:
        if connect:
            os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # nothing is reported without being asked for
            ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
            signal.signal(signal.SIGTERM, handler)  # Ray's own would end the process as if all were well
        yield
    finally:
        if connect:
            ray.shutdown()
        logger.setLevel(level)
