"""Save and leave when a cluster gives notice by SIGTERM."""

from __future__ import annotations

import contextlib
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import CheckpointHook, Hook
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmfct.engine.epochs import is_iterative
from mmfct.utils.interruption import TERMINATED, Terminated
from mmfct.utils.launch import leave_ranks

# torchrun passes on what a cluster has sent to all processes: within so many seconds, it is the same notice.
_SAME_NOTICE = 5.0


class TerminationHook(Hook):
    """After SIGTERM, let mmengine's checkpoint hook save as soon as that can be resumed exactly, then leave.

    An iteration-based training saves after the next iteration. An epoch-based one is resumed at the start of an epoch,
    where hooks and samplers expect it; so it goes on to the end of the epoch and saves, if that comes before the
    cluster's patience ends. Otherwise it leaves at once, and is resumed from its last checkpoint. The exit status is
    143, also of all other ranks, which leave after the same iteration. A second SIGTERM ends the process at once.

    ``mmfct train`` adds this hook. Signals reach it inside of ``listening()``.

    Args:
        grace: Seconds from SIGTERM until the process will be killed.
    """

    priority = 'LOWEST'  # after the checkpoint is written

    def __init__(self, grace: float = 20.0) -> None:
        self._grace = grace
        self._noticed: float | None = None
        self._agreed = False
        self._epoch_started = 0.0

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """Take SIGTERM for a notice, in the main thread: signals reach no other."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        previous = signal.signal(signal.SIGTERM, self._notice)
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, previous)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self._noticed is not None and now - self._noticed > _SAME_NOTICE:
            raise Terminated
        self._noticed = self._noticed or now

    def before_train(self, runner: Runner) -> None:
        """Let the workers of the data loader ignore SIGTERM, which some clusters send to every process of a job."""
        loader: Any = runner.train_dataloader
        loader.worker_init_fn = partial(_deaf, loader.worker_init_fn)

    def before_train_epoch(self, runner: Runner) -> None:
        """Note when an epoch starts."""
        self._epoch_started = time.monotonic()

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Leave, or let the next checkpoint be written as soon as possible."""
        if self._agreed and is_iterative(runner):
            self._leave(f'iteration {runner.iter + 1} is saved')
        # Ranks get the signal at different moments, but must leave after the same iteration.
        noticed, too_late = self._together(runner, batch_idx)
        if not noticed:
            return
        checkpoints = [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]
        if not any(hook.by_epoch != is_iterative(runner) for hook in checkpoints) or too_late:
            self._leave('in the middle of an epoch, which is not saved: it will be resumed from the last checkpoint')
        self._agreed = True
        for hook in checkpoints:
            hook.interval, hook.save_begin = 1, 0

    def after_train_epoch(self, runner: Runner) -> None:
        """Leave at the end of an epoch."""
        if self._agreed and not is_iterative(runner):
            self._leave(f'epoch {runner.epoch + 1} is saved')

    def _together(self, runner: Runner, batch: int) -> tuple[bool, bool]:
        """Return whether a rank was given notice, and whether one will be killed before the end of this epoch."""
        noticed, too_late = self._noticed is not None, False
        if self._noticed is not None and not is_iterative(runner):
            now, left = time.monotonic(), len(runner.train_dataloader) - batch - 1
            end = now + left * (now - self._epoch_started) / (batch + 1)
            too_late = end > self._noticed + self._grace
        flags = torch.tensor([noticed, too_late], dtype=torch.float32)
        all_reduce(flags, op='max')
        return bool(flags[0]), bool(flags[1])

    def _leave(self, state: str) -> None:
        print_log(f'told to terminate: {state}', 'current', logging.WARNING)
        leave_ranks(TERMINATED)
        raise Terminated


def _deaf(start: Callable[[int], None] | None, worker: int) -> None:
    """Start a worker of a data loader that ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if start is not None:
        start(worker)
