"""A network, a data set and a Runner for tests of parameters per training instance; also the program of two ranks."""

from __future__ import annotations

import importlib
import itertools
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement
from torch import nn
from torch.utils.data import Dataset

from mmfct.instances.comparison import Comparison
from mmfct.registry import MODELS
from mmfct.utils.launch import leave_ranks

FORMS = dict(a='gaussian', b='laplace')
RANK_CASES: dict[str, dict[str, Any]] = dict(
    complete=dict(hook=dict(momentum=0.5)),
    # The second rank, which has the odd instances, has no label of task b in the first of two batches.
    missing=dict(missing=[(1, 1), (3, 1), (5, 1), (7, 1), (4, 0)], hook=dict(decay=0.1)),
    uneven=dict(size=11, sampler=dict(round_up=False)),
    accumulated=dict(size=16, optim_wrapper=dict(accumulative_counts=2)),
    # As `missing`, in a model with a loss per task that a rank does not run where none of its instances has the task.
    # There the scales of the tasks start after the first step, on ranks that did not run the model's part too.
    heads=dict(missing=[(1, 1), (3, 1), (5, 1), (7, 1), (4, 0), (8, 0), (8, 1)], heads=True),
    agreement=dict(agreement=True),
    agreement_missing=dict(agreement=True, missing=[(1, 1), (3, 1), (5, 1), (7, 1), (4, 0)]),
    agreement_uneven=dict(agreement=True, size=11, sampler=dict(round_up=False)),  # the last batches differ in number
    agreement_accumulated=dict(agreement=True, size=16, optim_wrapper=dict(accumulative_counts=2)),
)
# Of `heads`, without `find_unused_parameters`: with a task that the second rank lacks in its first batch, and without.
STRICT_CASES: dict[str, dict[str, Any]] = dict(
    refused=dict(missing=[(1, 1), (3, 1), (5, 1), (7, 1)], heads=True),
    nowhere=dict(missing=[(instance, 0) for instance in range(8)], heads=True),
    everywhere=dict(missing=[(1, 1), (4, 0)], heads=True),
)
_numbers = itertools.count()


class ToyInstances(Dataset):
    """Instances with a target for each of two tasks, of which some are missing."""

    metainfo: dict = {}

    def __init__(
        self, size: int = 12, missing: Iterable[tuple[int, int]] = (), folder: str = '/data', heads: bool = False
    ) -> None:
        generator = torch.Generator().manual_seed(0)
        self.inputs = torch.randn(size, 3, generator=generator)
        self.targets = 3 * torch.randn(size, 2, generator=generator)
        for instance, task in missing:
            self.targets[instance, task] = float('nan')
        self.folder = folder
        self.heads = heads

    def __len__(self) -> int:
        return len(self.inputs)

    def get_data_info(self, index: int) -> dict:
        return dict(img_path=f'{self.folder}/{index}.png', sample_idx=index)

    def __getitem__(self, index: int) -> dict:
        sample = BaseDataElement(metainfo=self.get_data_info(index))
        sample.target = self.targets[index]
        if self.heads:
            parts = {name: sample for name, target in zip(FORMS, sample.target, strict=True) if not target.isnan()}
            sample = ToyMultiTaskSample(**parts)
        return dict(inputs=self.inputs[index], data_samples=sample)


class ToyMultiTaskSample(BaseDataElement):
    """As mmpretrain's: a data sample for each task that is annotated, and nothing in its own meta information."""

    @property
    def tasks(self) -> set[str]:
        return self._data_fields


def squared(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared errors (B,) of outputs (B, 1), and what has a target, which is not NaN."""
    return (outputs - torch.where(targets.isnan(), 0, targets)).square()[:, 0], ~targets.isnan()[:, 0]


def absolute(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Absolute errors (B,) of outputs (B, 1), and what has a target, which is not NaN."""
    return (outputs - torch.where(targets.isnan(), 0, targets)).abs()[:, 0], ~targets.isnan()[:, 0]


class ToyTasks(BaseModel):
    """A linear layer, a squared error of its first output and an absolute one of its second.

    ``units`` are factors of the two losses, which are then measured in another unit.
    """

    def __init__(
        self, weighting: dict | None = None, half: bool = False, units: tuple[float, float] = (1.0, 1.0)
    ) -> None:
        super().__init__()
        self.half = half
        self.functions = [partial(_scaled, function, unit) for function, unit in zip(FUNCTIONS, units, strict=True)]
        self.layer = nn.Linear(3, 2)
        with torch.no_grad():
            self.layer.weight.copy_(torch.linspace(-1, 1, 6).view(2, 3))
            self.layer.bias.zero_()
        self.weighting = MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms=FORMS) | (weighting or {}))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        with torch.autocast('cpu', torch.bfloat16, enabled=self.half):
            outputs = self.layer(inputs)
            if mode != 'loss':
                return [BaseDataElement(metainfo=dict(output=output)) for output in outputs]
            targets = torch.stack([sample.target for sample in data_samples])
            pairs = list(zip(self.functions, outputs.split(1, dim=1), targets.split(1, dim=1), strict=True))
            losses = torch.stack([function(output, target)[0] for function, output, target in pairs], dim=1)
            needed = [[Comparison.of(*pair) for pair in pairs]] if self.weighting.needs_comparisons else []
            objective, _ = self.weighting(losses, ~targets.isnan(), *needed)
        return dict(loss=objective)


def _scaled(function: Callable, unit: float, outputs: torch.Tensor, targets: torch.Tensor):
    losses, annotated = function(outputs, targets)
    return unit * losses, annotated


FUNCTIONS = (squared, absolute)


class ToyHeads(ToyTasks):
    """The same with a module per task, which sees only the instances that have it, as in mmpretrain's heads."""

    def __init__(self) -> None:
        super().__init__()
        self.weighting = nn.ModuleDict(
            {name: MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms={name: FORMS[name]})) for name in FORMS}
        )

    def forward(self, inputs, data_samples=None, mode='tensor'):
        outputs, log = self.layer(inputs), {}
        for column, (name, weighting) in enumerate(self.weighting.items()):
            mask = torch.tensor([name in sample for sample in data_samples])
            log[f'{name}_loss'] = (outputs * 0).sum()
            if mask.any():
                targets = [sample.get(name).target[column] for sample in data_samples if name in sample]
                errors = (outputs[mask, column] - torch.stack(targets))[:, None]
                losses = errors.abs() if column else errors.square()
                log[f'{name}_loss'], _ = weighting(losses, torch.ones_like(losses, dtype=torch.bool))
        return log


def make_runner(
    work_dir: str,
    *,
    dataset: Dataset | None = None,
    size: int = 12,
    missing: Iterable[tuple[int, int]] = (),
    heads: bool = False,
    model: BaseModel | None = None,
    agreement: bool = False,
    start: float | None = None,
    hook: dict | None = None,
    hooks: Iterable = (),
    epochs: int = 2,
    batch_size: int = 4,
    sampler: dict | None = None,
    optim_wrapper: dict | None = None,
    checkpoint: bool = False,
    **options,
) -> Runner:
    """Build a Runner of the toy model with the hook; ``options`` are more of the Runner's arguments.

    ``start`` is where the log-variances of the tasks are, unless they find a start of their own.
    """
    table = dict(type='mmfct.InstanceTaskWeightHook', histogram=False, **({} if agreement else dict(lr=0.5)))
    table |= hook or {}
    if model is None:
        model = ToyHeads() if heads else ToyTasks(dict(type='mmfct.AgreementWeighting') if agreement else None)
    for module in model.modules():
        if start is not None and hasattr(module, 'log_variance'):
            nn.init.constant_(module.log_variance, start)
    arguments: dict[str, Any] = dict(
        log_level='ERROR',
        train_dataloader=dict(
            batch_size=batch_size,
            dataset=ToyInstances(size, missing, heads=heads) if dataset is None else dataset,
            sampler=dict(type='DefaultSampler', shuffle=False) | (sampler or {}),
            collate_fn=dict(type='default_collate'),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.05, momentum=0.9)) | (optim_wrapper or {}),
        default_hooks=dict(
            logger=None, timer=None, checkpoint=dict(type='CheckpointHook', interval=1) if checkpoint else None
        ),
        custom_hooks=[table, *hooks],
    )
    return Runner(
        experiment_name=f'instances{os.getpid()}_{next(_numbers)}',
        model=model,
        work_dir=work_dir,
        default_scope='mmengine',
        randomness=dict(seed=0),
        **(arguments | options),
    )


def table_of(runner: Runner):
    """Return the table that the hook of a Runner holds."""
    (hook,) = [hook for hook in runner.hooks if type(hook).__name__ == 'InstanceTaskWeightHook']
    return hook.table


def results(runner: Runner) -> dict[str, torch.Tensor]:
    """Return the weights of the network and the tensors of the table."""
    state = {name.removeprefix('module.'): value for name, value in runner.model.state_dict().items()}
    table = {name: value for name, value in table_of(runner).state_dict().items() if isinstance(value, torch.Tensor)}
    return {name: value.clone() for name, value in (state | table).items()}


def train_on_this_rank(folder: str, rank: int) -> None:
    """Train every case as one of two ranks, with half of the batch, and write what came of it."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    out = {}
    for name, options in (RANK_CASES | STRICT_CASES).items():
        wrapper = dict(
            type='mmfct.CpuDistributedDataParallel',
            device_ids=None,
            broadcast_buffers=False,
            find_unused_parameters=options.get('heads', False) and name not in STRICT_CASES,
        )
        distributed = dict(launcher='pytorch', cfg=dict(model_wrapper_cfg=wrapper))
        runner = make_runner(f'{folder}/{name}', epochs=3, batch_size=4, **options, **distributed)
        try:
            runner.train()
        except ValueError as error:
            out[name] = str(error)
        else:
            out[name] = results(runner)
    torch.save(out, f'{folder}/rank{rank}.pt')
    leave_ranks()


if __name__ == '__main__':
    # Before the fork, so that they are imported once.
    importlib.import_module('mmfct.engine')
    importlib.import_module('mmfct.models')
    importlib.import_module('torchvision')
    rank = 0 if os.fork() else 1
    os.environ |= dict(RANK=str(rank), LOCAL_RANK=str(rank))
    train_on_this_rank(sys.argv[1], rank)
