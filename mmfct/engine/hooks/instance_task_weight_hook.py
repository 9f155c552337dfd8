"""Hold and train the parameters of all training instances."""

from __future__ import annotations

import logging
import math
from typing import Any

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmfct.engine.epochs import epoch_at, is_iterative
from mmfct.engine.weight_histogram import weight_histogram
from mmfct.instances.instance_sgd import InstanceSGD
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.sample_tasks import instance_name
from mmfct.instances.table import InstanceTable
from mmfct.registry import HOOKS

CHECKPOINT_KEY = 'instance_task_weights'


@HOOKS.register_module()
class InstanceTaskWeightHook(Hook):
    """Tell weighted losses which instances are in the batch, and step the instances' parameters.

    Works with every model that has modules with ``instance_tasks``, `mmfct.InstanceTaskWeighting` and
    `mmfct.DataParameterLoss`, in whatever place. Before an iteration each gets the rows of its instances; after it
    their gradients are taken, put together over ranks and accumulation steps, and one SGD step moves these rows. Every
    rank holds the same table, that of one process on the same global batch. The table is part of the checkpoint.

    Args:
        lr: Rate of the instances' parameters.
        momentum: Momentum, see `InstanceSGD`.
        decay: Pull towards 0, see `InstanceSGD`.
        max_factor: A scale (standard deviation, temperature) leaves 1 by at most this factor.
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
        if not max_factor > 1:
            raise ValueError(f'`max_factor` must be above 1, got {max_factor!r}')
        if schedule not in ('constant', 'cosine'):
            raise ValueError(f"`schedule` must be 'constant' or 'cosine', got {schedule!r}")
        if warmup_epochs < 0:
            raise ValueError(f'`warmup_epochs` must be at least 0, got {warmup_epochs!r}')
        InstanceSGD(0, 0, lr, momentum=momentum, decay=decay)  # refuses what is out of range before data are read
        self.options: dict[str, Any] = dict(
            lr=lr, momentum=momentum, decay=decay, max_factor=max_factor, center=center, track_losses=track_losses
        )
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.key = key
        self.histogram = histogram
        self._loaded: dict[str, Any] | None = None

    def before_train(self, runner: Runner) -> None:
        """Find the modules and make a table with a row for each training instance, or restore it."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        modules = [module for module in model.modules() if getattr(module, 'instance_tasks', ())]
        if not modules:
            raise ValueError(
                'the model must have a module with parameters per instance, such as mmfct.InstanceTaskWeighting or '
                f'mmfct.InstanceTaskWeightLoss, got none in {type(model).__name__}'
            )
        if getattr(model.data_preprocessor, 'batch_augments', None) is not None:
            raise ValueError(
                '`batch_augments` of the data preprocessor (`train_cfg.augments`) must be left out: the loss of a '
                'mixed image is not that of one instance'
            )
        keys = InstanceKeys.of(runner.train_dataloader.dataset, field=self.key)
        self.table = InstanceTable(modules, keys, **self.options, device=next(model.parameters()).device)
        loaded, self._loaded = self._loaded, None
        if loaded is not None and runner.iter > 0:  # otherwise weights to start from, maybe of another data set
            if CHECKPOINT_KEY not in loaded:
                raise ValueError(
                    'the checkpoint to resume has no table of instance parameters; train from the beginning'
                )
            self.table.load_state_dict(loaded[CHECKPOINT_KEY])
        last = epoch_at(runner, runner.max_iters - 1) if is_iterative(runner) else runner.max_epochs - 1
        if last < self.warmup_epochs:
            text = (
                f'the training ends within the {self.warmup_epochs} `warmup_epochs`: no parameter of an instance moves'
            )
            print_log(text, 'current', logging.WARNING)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Lay the rows of the batch into the modules."""
        samples = (data_batch or {})['data_samples']
        self.table.set_batch(samples, [instance_name(sample, self.key) for sample in samples])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Take the gradients; step where the network has, or would have but for an overflow of half precision."""
        self.table.collect()
        if runner.optim_wrapper.should_update():
            self.table.step(self._scale(runner))
        if is_iterative(runner):
            epoch = epoch_at(runner, runner.iter + 1)
            if epoch > epoch_at(runner, runner.iter):
                self._log(runner, epoch)

    def after_train_epoch(self, runner: Runner) -> None:
        """Log the mean and the spread of the weights, and draw their histogram."""
        if not is_iterative(runner):  # there an epoch is the whole training
            self._log(runner, runner.epoch + 1)

    def _log(self, runner: Runner, epoch: int) -> None:
        """Log the weights after ``epoch`` epochs."""
        weights = self.table.weights().cpu()
        spread = []
        for task, column in zip(self.table.tasks, weights.unbind(1), strict=True):
            mean, deviation = column.mean().item(), column.std(correction=0).item()
            runner.message_hub.update_scalar(f'train/weight_{task}_mean', mean)
            runner.message_hub.update_scalar(f'train/weight_{task}_std', deviation)
            spread.append(f'{task} {mean:.3g} +- {deviation:.2g}')
        print_log(f'weights of {len(weights)} instances: {", ".join(spread)}', 'current')
        if self.histogram:
            picture = weight_histogram(weights, self.table.tasks, f'epoch {epoch}')
            runner.visualizer.add_image('instance_weights', picture, step=epoch)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the table to the checkpoint."""
        checkpoint[CHECKPOINT_KEY] = self.table.state_dict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the table, if there is one, until it is known whether a training is resumed."""
        self._loaded = {CHECKPOINT_KEY: checkpoint[CHECKPOINT_KEY]} if CHECKPOINT_KEY in checkpoint else {}

    def _scale(self, runner: Runner) -> float:
        """Return the factor of the rate in this iteration."""
        if epoch_at(runner, runner.iter) < self.warmup_epochs:
            return 0.0
        if self.schedule == 'constant':
            return 1.0
        return 0.5 * (1 + math.cos(math.pi * runner.iter / runner.max_iters))
