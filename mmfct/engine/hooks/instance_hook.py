"""Base of hooks that keep a row per training instance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.runner import Runner
from torch.nn.parallel import DistributedDataParallel

from mmfct.engine.epochs import epoch_at, is_iterative
from mmfct.engine.weight_histogram import weight_quantiles, weight_sheet
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.module import InstanceModule
from mmfct.instances.sample_tasks import is_multi_task, is_seen
from mmfct.instances.store import CHECKPOINT_KEY, InstanceStore
from mmfct.registry import HOOKS
from mmfct.utils.wrappers import unwrapped_model

_HISTORY = 'instance_weight_quantiles'


class InstanceHook(Hook, ABC):
    """Drive an `InstanceStore` through a training: batches, steps, checkpoints and logs.

    Works with every model that has an `InstanceModule` of the wanted kind, wherever it is. A subclass says which store
    serves the modules; every rank keeps the same one.

    Args:
        key: What identifies an instance in the meta information of its data sample: ``'img_path'``, or
            ``'sample_idx'`` where there are no files (not through a ``ConcatDataset``, whose indices are local).
        histogram: Whether to draw the weights after every epoch: one picture, with their spread so far.

    Attributes:
        module_type: Which modules the store serves.
        table: The store, from ``before_train`` on.
    """

    module_type: ClassVar[type[InstanceModule]]
    table: InstanceStore
    _keys: InstanceKeys

    def __init__(self, key: str = 'img_path', histogram: bool = True) -> None:
        self.key = key
        self.histogram = histogram
        self._loaded: dict[str, Any] | None = None
        self._modules: list[Any] = []  # to check, where every parameter must get a gradient

    @abstractmethod
    def make_store(self, modules: list[Any], keys: InstanceKeys, device: torch.device) -> InstanceStore:
        """Make the store of a training; ``modules`` are of ``module_type``."""

    def before_train(self, runner: Runner) -> None:
        """Find the modules and make a store with a row for each training instance, or restore it."""
        model = unwrapped_model(runner.model)
        modules = [m for m in model.modules() if isinstance(m, self.module_type) and m.instance_tasks]
        if not modules:
            raise ValueError(
                f'{type(self).__name__} and its options, such as `suspects`, need a model with weights of instances, '
                'by mmfct.AgreementWeighting (`weighting=itp` in our configs) or mmfct.InstanceTaskWeightLoss, got '
                f'none in {type(model).__name__}; choose such a weighting, or leave the hook and `suspects` out'
            )
        if getattr(model.data_preprocessor, 'batch_augments', None) is not None:
            raise ValueError(
                '`batch_augments` of the data preprocessor (`train_cfg.augments`) must be left out: the loss of a '
                'mixed image is not that of one instance'
            )
        if sum(type(hook) is type(self) for hook in runner.hooks) > 1:
            raise ValueError(
                f'`custom_hooks` must have one {type(self).__name__}, got several: each would take the reports that '
                'another one needs'
            )
        self._modules = modules if _needs_every_parameter(runner.model) else []
        self._keys = keys = InstanceKeys.of(runner.train_dataloader.dataset, field=self.key)
        self.table = self.make_store(modules, keys, next(model.parameters()).device)
        loaded, self._loaded = self._loaded, None
        if loaded is not None and runner.iter > 0:  # otherwise weights to start from, maybe of another data set
            if CHECKPOINT_KEY not in loaded:
                raise ValueError(
                    'the checkpoint to resume has no table of instance parameters; train from the beginning'
                )
            self.table.load_state_dict(loaded[CHECKPOINT_KEY])

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Give the modules the rows of the batch."""
        samples = (data_batch or {})['data_samples']
        if self._modules and any(is_multi_task(sample) for sample in samples):
            self._check_used(samples)
        self.table.set_batch(samples, [self._keys.name_of(sample) for sample in samples])

    def _check_used(self, samples: Sequence[Any]) -> None:
        """Raise an error on every rank if one of them would leave a module, and with it a head, without gradient.

        Such a rank would wait for the reports of the others, and these for its gradient.
        """
        used = [any(is_seen(sample, module.instance_tasks) for sample in samples) for module in self._modules]
        flags = torch.tensor(used, dtype=torch.float32)
        all_reduce(flags, op='min')
        unused = [module.instance_tasks for module, flag in zip(self._modules, flags, strict=True) if flag == 0]
        if unused:
            raise ValueError(
                '`find_unused_parameters = True` must be in the config where a rank may have no sample of a task, got '
                f'a batch without labels of {[task for tasks in unused for task in tasks]!r} on a rank'
            )

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Take the reports; step where the network has, or would have but for an overflow of half precision."""
        self.table.collect()
        if _should_update(runner.optim_wrapper):
            self.table.step()
        if is_iterative(runner):
            epoch = epoch_at(runner, runner.iter + 1)
            if epoch > epoch_at(runner, runner.iter):
                self.end_epoch(runner, epoch)

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch; where training is iteration-based, mmengine's is the whole training."""
        if not is_iterative(runner):
            self.end_epoch(runner, runner.epoch + 1)

    def end_epoch(self, runner: Runner, epoch: int) -> None:
        """Let the store learn from the epoch; log mean and spread of the weights, and draw them."""
        self.table.end_epoch()
        weights = self.table.weights().cpu()
        spread = []
        for task, column in zip(self.table.tasks, weights.unbind(1), strict=True):
            mean, deviation = column.mean().item(), column.std(correction=0).item()
            runner.message_hub.update_scalar(f'train/weight_{task}_mean', mean)
            runner.message_hub.update_scalar(f'train/weight_{task}_std', deviation)
            spread.append(f'{task} {mean:.3g} +- {deviation:.2g}')
        print_log(f'weights of {len(weights)} instances: {", ".join(spread)}', 'current')
        if self.histogram:
            # The message hub is in the checkpoints: the picture of a resumed training has all epochs.
            earlier = runner.message_hub.runtime_info.get(_HISTORY, {}).items()
            history = {key: values for key, values in earlier if key < epoch} | {epoch: weight_quantiles(weights)}
            runner.message_hub.update_info(_HISTORY, history)
            # One step, so that backends replace the picture of the epoch before, which this one contains.
            runner.visualizer.add_image('instance_weights', weight_sheet(weights, self.table.tasks, history), step=0)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the store to the checkpoint."""
        checkpoint[CHECKPOINT_KEY] = self.table.state_dict()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Remember the state of the store until it is known whether a training is resumed."""
        self._loaded = {CHECKPOINT_KEY: checkpoint[CHECKPOINT_KEY]} if CHECKPOINT_KEY in checkpoint else {}


def _needs_every_parameter(model: torch.nn.Module) -> bool:
    """Return whether a model is wrapped for several ranks such that every parameter must get a gradient."""
    return isinstance(model, DistributedDataParallel) and not model.find_unused_parameters and get_world_size() > 1


def _should_update(optim_wrapper: OptimWrapper | OptimWrapperDict) -> bool:
    """Return whether the network has taken a step; of several optimisers, whether one has."""
    wrappers = list(optim_wrapper.values()) if isinstance(optim_wrapper, OptimWrapperDict) else [optim_wrapper]
    return any(wrapper.should_update() for wrapper in wrappers)


def instance_key(hooks: list[dict]) -> str:
    """Return the ``key`` of the `InstanceHook` among the configs of hooks, or what it is by default.

    Args:
        hooks: ``custom_hooks`` of a config.
    """
    for hook in hooks:
        kind = HOOKS.get(hook['type']) if isinstance(hook['type'], str) else hook['type']
        if isinstance(kind, type) and issubclass(kind, InstanceHook):
            return hook.get('key', 'img_path')
    return 'img_path'
