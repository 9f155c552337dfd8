"""Weigh every training instance in every task."""

from __future__ import annotations

import logging
from typing import Any, ClassVar

import torch
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmfct.engine.hooks.instance_hook import InstanceHook
from mmfct.instances.agreement import AgreementStore
from mmfct.instances.instance_sgd import InstanceSGD
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.parameters import InstanceParameters
from mmfct.instances.scaled_module import ScaledInstanceModule
from mmfct.instances.store import InstanceStore
from mmfct.instances.suspects import read_weights
from mmfct.instances.table import InstanceTable
from mmfct.registry import HOOKS
from mmfct.utils.wrappers import unwrapped_model

_RATES = dict(lr=1.0, momentum=0.0, decay=0.0, max_factor=20.0)


@HOOKS.register_module()
class InstanceTaskWeightHook(InstanceHook):
    """Keep what is known about all training instances, and give each batch its part.

    Works with every model that has a `ScaledInstanceModule`, wherever it is. Weights by agreement
    (`mmfct.AgreementWeighting`, `mmfct.InstanceTaskWeightLoss`) come from an `AgreementStore`, which is refitted after
    every epoch. Parameters that are trained by gradient descent (`mmfct.InstanceTaskWeighting`,
    `mmfct.DataParameterLoss`) come from an `InstanceTable`, of which every step moves those of its batch. Every rank
    holds the same numbers, and they are part of the checkpoint. By gradient they are those of one process on the same
    global batch. So are weights by agreement, unless ranks have images of different sizes or run different heads of a
    ``MultiTaskHead``: then each compares its own images. With gradient accumulation, images are compared within each
    forward pass.

    Args:
        lr: Rate of parameters that are trained by gradient descent; this and the next three do nothing for others.
        momentum: Momentum, see `InstanceSGD`.
        decay: Weight decay, see `InstanceSGD`.
        max_factor: A scale (standard deviation, temperature) is clamped to [1 / max_factor, max_factor].
        key: What identifies an instance in the meta information of its data sample: ``'img_path'``, or
            ``'sample_idx'`` where there are no files (not through a ``ConcatDataset``, whose indices are local).
        suspects: Folder that ``mmfct suspects`` wrote for an earlier training on the same data. This one is then a
            second pass: every weight is multiplied by the probability that the label is right according to the first.
        track_losses: Whether to keep the mean loss of every instance too, for `mmfct suspects`
            (8 bytes per instance and task).
        histogram: Whether to draw the weights after every epoch: one picture, with their spread so far.

    Raises:
        FileNotFoundError: If ``suspects`` has no table of any task.
        ValueError: If an option is out of range, ``suspects`` is of other data, the model has no such module, two of
            one task or both kinds, a head with margins (ArcFace) whose weights come from agreement, the data
            preprocessor mixes images, a data sample has no key or one that the training set does not have, or a
            training is resumed whose state is missing, of the other kind, or of another data set.
    """

    module_type: ClassVar[Any] = ScaledInstanceModule

    def __init__(
        self,
        lr: float = _RATES['lr'],
        *,
        momentum: float = _RATES['momentum'],
        decay: float = _RATES['decay'],
        max_factor: float = _RATES['max_factor'],
        key: str = 'img_path',
        suspects: str | None = None,
        track_losses: bool = True,
        histogram: bool = True,
    ) -> None:
        super().__init__(key, histogram)
        if not max_factor > 1:
            raise ValueError(f'`max_factor` must be above 1, got {max_factor!r}')
        InstanceSGD(0, 0, lr, momentum=momentum, decay=decay)  # checks its options before any data are read
        self.rates: dict[str, Any] = dict(lr=lr, momentum=momentum, decay=decay, max_factor=max_factor)
        self.suspects = suspects
        self.track_losses = track_losses

    def before_train(self, runner: Runner) -> None:
        """Refuse heads of which agreement cannot judge the labels, then start as every `InstanceHook`."""
        for head in unwrapped_model(runner.model).modules():
            parts = [part for part in head.modules() if isinstance(part, ScaledInstanceModule)]
            if hasattr(head, 'set_margins') and any(not isinstance(part, InstanceParameters) for part in parts):
                raise ValueError(
                    f'{type(head).__name__} lowers the score of the given class by a margin, so to weights by '
                    'agreement every label would look wrong; set `gradient=True` in mmfct.InstanceTaskWeightLoss'
                )
        super().before_train(runner)

    def make_store(self, modules: list[Any], keys: InstanceKeys, device: torch.device) -> InstanceStore:
        """Make a store of the kind that the modules use, with weights of 1 or parameters of 0."""
        trained = [module for module in modules if isinstance(module, InstanceParameters)]
        options: dict[str, Any] = dict(track_losses=self.track_losses, device=device)
        if len(trained) == len(modules):
            if self.suspects is not None:
                raise ValueError(
                    '`suspects` goes with weights by agreement (`weighting=itp` in our configs), got weights by '
                    'gradient descent, which take none; choose those, or leave `suspects` out'
                )
            return InstanceTable(trained, keys, **self.rates, **options)
        if trained:
            kinds = sorted({type(module).__name__ for module in modules})
            raise ValueError(
                'the weights of a model must all come from agreement, or all from gradient descent, got modules of '
                f'the types {", ".join(kinds)}'
            )
        unused = [name for name, value in self.rates.items() if value != _RATES[name]]
        if unused:
            print_log(
                f'{", ".join(unused)} of the hook: unused, weights by agreement have no rate',
                'current',
                logging.WARNING,
            )
        prior = None
        if self.suspects is not None:
            prior = read_weights(self.suspects, [task for module in modules for task in module.instance_tasks], keys)
        return AgreementStore(modules, keys, prior=prior, **options)

    def end_epoch(self, runner: Runner, epoch: int) -> None:
        """Refit, log and draw; say how many labels look wrong."""
        super().end_epoch(runner, epoch)
        if isinstance(self.table, AgreementStore):
            shares = dict(zip(self.table.tasks, self.table.shares.tolist(), strict=True))
            for task, share in shares.items():
                runner.message_hub.update_scalar(f'train/wrong_{task}', share)
            text = ', '.join(f'{task} {100 * share:.0f} %' for task, share in shares.items())
            print_log(f'labels that look wrong to the network so far: {text}; the share falls as it learns', 'current')
