"""The first steps of a training, timed."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from dataclasses import dataclass

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmfct.engine.epochs import is_iterative
from mmfct.utils.checkpoint import only_weights

_STEPS = 6  # the first one warms up


@dataclass(frozen=True)
class Steps:
    """What the first steps took.

    Args:
        taken: Their number.
        left: Iterations from the start to the end of the training.
        compute: Median of the seconds in the network and the optimiser.
        waiting: Median of the seconds until the next batch was there.
    """

    taken: int
    left: int
    compute: float
    waiting: float


def take_steps(runner: Runner) -> Steps:
    """Train a few iterations of the first epoch, before anything is validated or saved.

    Hooks, resuming and weights to start from are those of the real training.

    Args:
        runner: A runner that has not trained yet.

    Raises:
        ValueError: If the loss is NaN or infinite; besides, whatever the training raises.
    """
    probe = _Probe()
    runner.register_hook(probe)
    with only_weights(), contextlib.suppress(_Enough):
        runner.train()
    median = lambda values: statistics.median(values[1:] or values or [0.0])  # noqa: E731
    return Steps(len(probe.compute), runner.max_iters - probe.start, median(probe.compute), median(probe.waiting))


class _Enough(Exception):  # noqa: N818  # no error
    """The steps are done."""


class _Probe(Hook):
    """Time the steps, and end the training after a few of them."""

    priority = 'LOWEST'

    def __init__(self) -> None:
        self.start = 0
        self.compute: list[float] = []
        self.waiting: list[float] = []
        self._limit = _STEPS
        self._since = 0.0

    def before_train(self, runner: Runner) -> None:
        self.start = runner.iter
        interval = runner.val_interval if is_iterative(runner) and runner.val_interval else _STEPS
        self._limit = min(_STEPS, len(runner.train_dataloader), interval)
        self._since = _now()

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        now = _now()
        self.waiting.append(now - self._since)
        self._since = now

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        now = _now()
        self.compute.append(now - self._since)
        self._since = now
        loss = float(torch.as_tensor((outputs or {}).get('loss', 0.0)).detach())
        if not math.isfinite(loss):
            raise ValueError(
                f'the loss of iteration {runner.iter + 1} must be finite, got {loss}; check the normalisation of the '
                'images and the learning rate'
            )
        if len(self.compute) >= self._limit:
            raise _Enough


def _now() -> float:
    """Return the time in seconds, once the GPU has done what it was given."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
