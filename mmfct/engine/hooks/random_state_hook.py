"""Let a resumed training draw the random numbers of one that was never interrupted."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmfct.engine.epochs import is_iterative
from mmfct.registry import HOOKS
from mmfct.utils.random_state import random_state, set_random_state

_ENTRY = 'random_state'


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Store the states of the random generators in checkpoints, and restore them when a training is resumed.

    mmengine seeds them anew whenever a process starts, so that a resumed training would see the augmentations of its
    first epochs once more. Validation leaves the states as they are: a resumed training does not repeat the one that
    follows its checkpoint.

    Of several processes only the main one writes a checkpoint; there, and in the workers of data loaders, mmengine's
    seeds remain. ``mmfct train`` adds this hook.
    """

    priority = 'LOWEST'  # nothing else draws between this hook and the first batch

    def __init__(self) -> None:
        self._loaded: dict[str, Any] | None = None
        self._before_val: dict[str, Any] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the states, in a checkpoint that can be resumed."""
        if 'optimizer' in checkpoint and get_world_size() == 1:
            checkpoint[_ENTRY] = random_state()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the states of a checkpoint; those of one that only lends its weights are not used."""
        self._loaded = checkpoint.get(_ENTRY)

    def before_train(self, runner: Runner) -> None:
        """Restore the states if the training is resumed."""
        if runner.iter > 0 and self._loaded is not None and get_world_size() == 1:
            if is_iterative(runner):
                # Its only iterator over the data draws from torch's generator when it starts, which was long ago.
                runner.train_dataloader.generator = torch.Generator()
            set_random_state(self._loaded)
        self._loaded = None

    def before_val(self, runner: Runner) -> None:
        """Remember the states."""
        self._before_val = random_state()

    def after_val(self, runner: Runner) -> None:
        """Restore the states."""
        if self._before_val is not None:
            set_random_state(self._before_val)
