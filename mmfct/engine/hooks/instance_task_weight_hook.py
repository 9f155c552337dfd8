"""Train a parameter per training instance and task."""

from __future__ import annotations

import logging
import math
from typing import Any, ClassVar

import torch
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmfct.engine.epochs import epoch_at, is_iterative
from mmfct.engine.hooks.instance_hook import InstanceHook
from mmfct.instances.instance_sgd import InstanceSGD
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.module import InstanceModule
from mmfct.instances.parameters import InstanceParameters
from mmfct.instances.table import InstanceTable
from mmfct.registry import HOOKS


@HOOKS.register_module()
class InstanceTaskWeightHook(InstanceHook):
    """Keep the parameters of all training instances, and step those of each batch.

    Works with every model that has an `InstanceParameters`, such as `mmfct.InstanceTaskWeighting` or
    `mmfct.DataParameterLoss`, wherever it is. Before an iteration each gets the parameters of its instances; after it
    their gradients are gathered from ranks and accumulation steps, and one SGD step moves these parameters. Every rank
    holds the same table, that of one process on the same global batch. The table is part of the checkpoint.

    Args:
        lr: Rate of the instances' parameters.
        momentum: Momentum, see `InstanceSGD`.
        decay: Weight decay, see `InstanceSGD`.
        max_factor: A scale (standard deviation, temperature) is clamped to [1 / max_factor, max_factor].
        center: Whether to subtract the mean gradient of the batch where the task has a shared parameter too: what all
            instances have in common belongs to that one.
        schedule: ``'constant'``, or ``'cosine'``: the rate falls to 0 at the end of training.
        warmup_epochs: Epochs before the instances' parameters start to move; rounds through the data where training
            is iteration-based.
        key: What identifies an instance in the meta information of its data sample: ``'img_path'``, or
            ``'sample_idx'`` where there are no files (not through a ``ConcatDataset``, whose indices are local).
        track_losses: Whether to keep the mean loss of every instance too, for `tools/find_corrupt_labels.py`
            (8 bytes per instance and task).
        histogram: Whether to draw a histogram of the weights after every epoch.

    Raises:
        ValueError: If an option is out of range, the model has no such module or two of one task, the data
            preprocessor mixes images, a data sample has no key or one that the training set does not have, or a
            training is resumed whose table is missing or belongs to another data set.
    """

    module_type: ClassVar[type[InstanceModule]] = InstanceParameters

    def __init__(
        self,
        lr: float = 1.0,
        *,
        momentum: float = 0.0,
        decay: float = 0.0,
        max_factor: float = 20.0,
        center: bool = False,
        schedule: str = 'constant',
        warmup_epochs: int = 0,
        key: str = 'img_path',
        track_losses: bool = True,
        histogram: bool = True,
    ) -> None:
        super().__init__(key, histogram)
        if not max_factor > 1:
            raise ValueError(f'`max_factor` must be above 1, got {max_factor!r}')
        if schedule not in ('constant', 'cosine'):
            raise ValueError(f"`schedule` must be 'constant' or 'cosine', got {schedule!r}")
        if warmup_epochs < 0:
            raise ValueError(f'`warmup_epochs` must be at least 0, got {warmup_epochs!r}')
        InstanceSGD(0, 0, lr, momentum=momentum, decay=decay)  # checks its options before any data are read
        self.options: dict[str, Any] = dict(
            lr=lr, momentum=momentum, decay=decay, max_factor=max_factor, center=center, track_losses=track_losses
        )
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs

    def make_store(self, modules: list[Any], keys: InstanceKeys, device: torch.device) -> InstanceTable:
        """Make a table with parameters of 0."""
        return InstanceTable(modules, keys, **self.options, device=device)

    def before_train(self, runner: Runner) -> None:
        """Make or restore the table; warn of a warm-up that never ends."""
        super().before_train(runner)
        last = epoch_at(runner, runner.max_iters - 1) if is_iterative(runner) else runner.max_epochs - 1
        if last < self.warmup_epochs:
            text = (
                f'the training ends within the {self.warmup_epochs} `warmup_epochs`: no parameter of an instance moves'
            )
            print_log(text, 'current', logging.WARNING)

    def scale(self, runner: Runner) -> float:
        """Return the factor of the rate in this iteration: 0 in the warm-up, then as the schedule says."""
        if epoch_at(runner, runner.iter) < self.warmup_epochs:
            return 0.0
        if self.schedule == 'constant':
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * runner.iter / runner.max_iters))
