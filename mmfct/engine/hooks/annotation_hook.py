"""Refuse data without labels."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from mmfct.engine.epochs import epoch_at, is_iterative
from mmfct.registry import HOOKS
from mmfct.utils.wrappers import unwrapped_model

_HOST_TASK = 'seg'
_IGNORED = 255


@runtime_checkable
class _Tasks(Protocol):
    """A model that says which labels it needs, and what is one, as `mmfct.MultiTaskSegmentor` does."""

    task_names: Sequence[str]

    def has_label(self, task: str, data_sample: Any) -> bool:
        """Return whether a data sample has a label of a task."""


@HOOKS.register_module()
class AnnotationHook(Hook):
    """Refuse an epoch of training in which no image has a label of some task, and warn of such an evaluation.

    Without a label the loss is 0, which looks like a perfect fit. Label maps in which every pixel is ignored, and
    depth maps without a valid one, are no labels: `mmfct.MultiTaskSegmentor` asks its tasks. Of any other model, label
    maps count where there are any. Batches are looked at until every task has had a label.
    ``mmfct train`` and ``mmfct test`` add this hook.

    Raises:
        ValueError: At the end of an epoch, if no image had a label of some task.
    """

    priority = 'HIGH'  # before a checkpoint is written

    def __init__(self) -> None:
        self._model: Any = None
        self._tasks: tuple[str, ...] = ()
        self._unseen: set[str] = set()
        self._needed = False

    def before_train(self, runner: Runner) -> None:
        """Start to look at the batches."""
        self._start(runner)

    def before_train_epoch(self, runner: Runner) -> None:
        """Start to look at the batches of an epoch; where training is iteration-based, there is only one."""
        self._start(runner)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Look at a batch."""
        self._look(data_batch)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """End an epoch of an iteration-based training."""
        if is_iterative(runner) and epoch_at(runner, runner.iter + 1) > epoch_at(runner, runner.iter):
            self._refuse(runner)
            self._start(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """End an epoch."""
        if not is_iterative(runner):
            self._refuse(runner)

    def before_val_epoch(self, runner: Runner) -> None:
        """Start to look at the batches of a validation."""
        self._start(runner)

    def before_val_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Look at a batch."""
        self._look(data_batch)

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Warn of a validation without labels."""
        self._warn(runner.val_dataloader)

    def before_test_epoch(self, runner: Runner) -> None:
        """Start to look at the batches of a test."""
        self._start(runner)

    def before_test_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Look at a batch."""
        self._look(data_batch)

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Warn of a test without labels."""
        self._warn(runner.test_dataloader)

    def missing(self) -> list[str]:
        """Return the tasks that should have labels, and have had none so far; all ranks must call this."""
        tasks = sorted(self._tasks)
        flags = torch.tensor([self._needed, *(task not in self._unseen for task in tasks)], dtype=torch.float32)
        all_reduce(flags, op='max')
        needed, *seen = flags.tolist()
        return [task for task, found in zip(tasks, seen, strict=True) if needed and not found]

    def _start(self, runner: Runner) -> None:
        self._model = unwrapped_model(runner.model)
        self._needed = isinstance(self._model, _Tasks)
        self._tasks = tuple(self._model.task_names) if self._needed else (_HOST_TASK,)
        self._unseen = set(self._tasks)

    def _look(self, data_batch: dict | None) -> None:
        samples = data_batch.get('data_samples') if self._unseen and isinstance(data_batch, dict) else None
        for sample in samples if isinstance(samples, (list, tuple)) else ():
            if isinstance(self._model, _Tasks):
                self._unseen -= {task for task in self._unseen if self._model.has_label(task, sample)}
            elif 'gt_sem_seg' in sample:
                self._needed = True
                if (sample.gt_sem_seg.data != _ignore_index(self._model)).any():
                    self._unseen.clear()

    def _refuse(self, runner: Runner) -> None:
        missing = self.missing()
        if missing:
            raise ValueError(
                f'the training set must have labels of every task, got no label of {missing!r} for any of '
                f'{_number(runner.train_dataloader)} images in an epoch: check the label files, `label_ids` and the '
                'pipeline'
            )

    def _warn(self, loader: DataLoader) -> None:
        missing = self.missing()
        if missing:
            text = (
                f'no label of {missing!r} for any of {_number(loader)} images: its metrics cannot be measured; check '
                'the label files, `label_ids` and the pipeline'
            )
            print_log(text, 'current', logging.WARNING)


def _ignore_index(model: Any) -> int:
    """Return the label of ignored pixels in a segmentor of mmseg, whose decode heads may be several."""
    heads = getattr(model, 'decode_head', None)
    return getattr(heads[-1] if isinstance(heads, nn.ModuleList) else heads, 'ignore_index', _IGNORED)


def _number(loader: DataLoader) -> int:
    dataset: Any = loader.dataset
    return len(dataset)
