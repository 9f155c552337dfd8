"""The epoch of a training, also of an iteration-based one."""

from __future__ import annotations

from mmengine.dist import get_world_size
from mmengine.runner import IterBasedTrainLoop, Runner


def is_iterative(runner: Runner) -> bool:
    """Return whether a training is iteration-based: to mmengine it is a single epoch."""
    return isinstance(runner.train_loop, IterBasedTrainLoop)


def epoch_at(runner: Runner, iteration: int) -> int:
    """Return the epoch, from 0; in an iteration-based training, how often all data were seen before ``iteration``."""
    if not is_iterative(runner):
        return runner.epoch
    loader = runner.train_dataloader
    return iteration * loader.batch_sampler.batch_size * get_world_size() // len(loader.dataset)
