"""Compare the classes of labels with the outputs of the model."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import Tensor, nn

from mmfct.datasets.class_subset import ClassSubset
from mmfct.engine.epochs import epoch_at, is_iterative
from mmfct.instances.positions import walk_data_sets
from mmfct.registry import HOOKS
from mmfct.utils.wrappers import unwrapped_model


@HOOKS.register_module()
class ClassCountHook(Hook):
    """Look at the labels of the first epoch: is ``num_classes`` right?

    Label maps with a class that a head of mmseg does not have are refused. A GPU would end with an assertion of CUDA,
    and some losses, such as ``DiceLoss``, take the last class instead. Outputs of a classifier of mmpretrain for which
    there is no class are warned of at the end of the epoch. ``mmfct train`` adds this hook.

    Raises:
        ValueError: If a label map has a class that is neither below ``num_classes`` nor ignored.
    """

    def __init__(self) -> None:
        self._first = False
        self._heads: list[Any] = []
        self._outputs: int | None = None  # of a classifier that should have no other ones
        self._largest = -1

    def before_train(self, runner: Runner) -> None:
        """Find the heads."""
        model = unwrapped_model(runner.model)
        self._first, self._largest = True, -1
        self._heads = list(_segmentation_heads(model))
        chosen = any(isinstance(part, ClassSubset) for part in walk_data_sets(runner.train_dataloader.dataset))
        self._outputs = None if chosen else getattr(getattr(model, 'head', None), 'num_classes', None)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Look at the labels of a batch."""
        samples = data_batch.get('data_samples') if self._first and isinstance(data_batch, dict) else None
        if not isinstance(samples, (list, tuple)):
            return
        for head in self._heads:
            _check_maps(samples, head)
        if self._outputs is not None:
            labels = [sample.gt_label for sample in samples if 'gt_label' in sample and sample.gt_label.numel()]
            self._largest = max([self._largest, *(int(label.max()) for label in labels)])

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """End the first epoch of an iteration-based training."""
        if self._first and is_iterative(runner) and epoch_at(runner, runner.iter + 1) > epoch_at(runner, runner.iter):
            self._end(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """End the first epoch."""
        if self._first and not is_iterative(runner):
            self._end(runner)

    def _end(self, runner: Runner) -> None:
        """Warn of outputs that stand for no class."""
        self._first = False
        if self._outputs is None:
            return
        largest = torch.tensor(self._largest)
        all_reduce(largest, op='max')
        names = getattr(runner.train_dataloader.dataset, 'metainfo', {}).get('classes') or ()
        classes = max(len(names), int(largest) + 1)
        if largest >= 0 and classes < self._outputs:
            text = (
                f'{self._outputs - classes} of {self._outputs} outputs of the model have no class in the training set '
                f'of {classes}: is `num_classes` right?'
            )
            print_log(text, 'current', logging.WARNING)


def _segmentation_heads(model: Any) -> Iterator[Any]:
    """Yield the heads whose labels are maps of classes: of `mmfct.MultiTaskSegmentor`, or of a segmentor of mmseg."""
    tasks = getattr(model, 'tasks', None)
    if isinstance(tasks, nn.ModuleDict):
        yield from (task.head for task in tasks.values() if task.label_kind == 'sem_seg')
    head: Any = getattr(model, 'decode_head', None)
    yield from head if isinstance(head, nn.ModuleList) else [head] if hasattr(head, 'ignore_index') else []


def _check_maps(samples: Sequence[Any], head: Any) -> None:
    """Raise an error if a label map has a class that a head does not have."""
    number = 2 if head.out_channels == 1 else head.num_classes
    for sample in samples:
        if 'gt_sem_seg' not in sample:
            continue
        values: Tensor = sample.gt_sem_seg.data
        wrong = values[(values < 0) | (values >= number)]
        wrong = wrong[wrong != head.ignore_index]
        if len(wrong):
            file = sample.metainfo.get('img_path', 'an image')
            raise ValueError(
                f'label maps must hold classes from 0 to {number - 1}, or {head.ignore_index} where ignored, got '
                f'{int(wrong[0])} in that of {file}; check `num_classes` of the heads, and the ids in the files'
            )
