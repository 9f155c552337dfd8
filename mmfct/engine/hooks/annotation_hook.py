"""Refuse data without labels."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmfct.engine.epochs import epoch_at, is_iterative
from mmfct.registry import HOOKS

_IGNORED = 255


@runtime_checkable
class _Tasks(Protocol):
    """A model that says which labels it needs, as `mmfct.MultiTaskSegmentor` does."""

    label_kinds: Mapping[str, str]


@HOOKS.register_module()
class AnnotationHook(Hook):
    """Refuse an epoch of training in which no image has a label of some task, and warn of such an evaluation.

    Without a label the loss is 0, which looks like a perfect fit. Label maps in which every pixel is ignored, and
    depth maps without a valid one, are no labels. A model with ``label_kinds`` says which labels it needs; of any
    other model, label maps count where there are any. Batches are looked at until every task has had a label.
    ``tools/train.py`` and ``tools/test.py`` add this hook.

    Raises:
        ValueError: At the end of an epoch, if no image had a label of some task.
    """

    priority = 'HIGH'  # before a checkpoint is written

    def __init__(self) -> None:
        self._kinds: dict[str, str] = {}
        self._unseen: set[str] = set()
        self._asked: set[str] = set()

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

    def _start(self, runner: Runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        needed = isinstance(model, _Tasks)
        self._kinds = dict(model.label_kinds) if needed else {'seg': 'sem_seg'}
        self._unseen = set(self._kinds)
        self._asked = set(self._kinds) if needed else set()

    def _look(self, data_batch: dict | None) -> None:
        samples = data_batch.get('data_samples') if self._unseen and isinstance(data_batch, dict) else None
        for sample in samples if isinstance(samples, (list, tuple)) else ():
            for task in sorted(self._unseen):
                field = f'gt_{self._kinds[task]}'
                if field in sample:
                    self._asked.add(task)
                    if _is_label(sample.get(field), self._kinds[task]):
                        self._unseen.discard(task)

    def _refuse(self, runner: Runner) -> None:
        missing = self._missing()
        if missing:
            raise ValueError(
                f'the training set must have labels of every task, got no label of {missing!r} for any of '
                f'{_number(runner.train_dataloader)} images in an epoch: check the label files, `label_ids` and the '
                'pipeline'
            )

    def _warn(self, loader: DataLoader) -> None:
        missing = self._missing()
        if missing:
            text = (
                f'no label of {missing!r} for any of {_number(loader)} images: its metrics cannot be measured; check '
                'the label files, `label_ids` and the pipeline'
            )
            print_log(text, 'current', logging.WARNING)

    def _missing(self) -> list[str]:
        """Return the tasks that should have labels, and have had none on any rank."""
        tasks = sorted(self._kinds)
        flags = torch.tensor([[task not in self._unseen, task in self._asked] for task in tasks], dtype=torch.float32)
        all_reduce(flags, op='max')
        return [task for task, (seen, asked) in zip(tasks, flags.tolist(), strict=True) if asked and not seen]


def _is_label(label: Any, kind: str) -> bool:
    """Return whether a field of a data sample has something to learn from."""
    if kind == 'sem_seg':
        return bool((label.data != _IGNORED).any())
    if kind == 'depth_map':
        return bool((label.data.isfinite() & (label.data != 0)).any())
    return True


def _number(loader: DataLoader) -> int:
    dataset: Any = loader.dataset
    return len(dataset)
