"""The parameters of all training instances, and how the modules that use them get at their rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmfct.instances.instance_sgd import InstanceSGD
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.loss_history import LossHistory
from mmfct.instances.sample_tasks import is_multi_task, is_seen
from mmfct.utils.distributed import gather_rows


class InstanceTable:
    """Lay the rows of a batch into modules, take their gradients back, and step these rows.

    Under several ranks the gradients of all are put together first, so that every rank holds the table that one
    process would have on the same global batch.

    Args:
        modules: Modules with ``instance_tasks``, such as `mmfct.InstanceTaskWeighting`.
        keys: Keys of the training instances; row i of the table belongs to the i-th.
        lr: Rate.
        momentum: Momentum, see `InstanceSGD`.
        decay: Pull towards 0, see `InstanceSGD`.
        max_factor: A scale (standard deviation, temperature) leaves 1 by at most this factor.
        center: Whether to subtract the mean over the batch from the gradients of a task that also has a shared
            parameter.
        track_losses: Whether to keep the mean loss of every instance too.
        device: Where the table lives.

    Raises:
        ValueError: If two modules have a task of one name, or an option is out of range.
    """

    def __init__(
        self,
        modules: Sequence[Any],
        keys: InstanceKeys,
        *,
        lr: float,
        momentum: float,
        decay: float,
        max_factor: float,
        track_losses: bool,
        device: torch.device | str,
        center: bool = False,
    ) -> None:
        self.tasks = tuple(task for module in modules for task in module.instance_tasks)
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f'`task` must be unique in a model, got {self.tasks!r}')
        self._modules = modules
        self._widths = [len(module.instance_tasks) for module in modules]
        self._keys = keys
        powers = [module.scale_power for module in modules for _ in module.instance_tasks]
        limit = torch.tensor(powers) * math.log(max_factor)
        size = len(keys), len(self.tasks)
        self._optimizer = InstanceSGD(*size, lr, momentum=momentum, decay=decay, limit=limit, device=device)
        self._history = LossHistory(*size, device) if track_losses else None
        shared = [module.log_variance.requires_grad for module in modules for _ in module.instance_tasks]
        self._centered = torch.tensor(shared, dtype=torch.bool, device=device) & center
        self._batch: list[Tensor] = []
        self._pending: list[Tensor] = []

    @property
    def deviation(self) -> Tensor:
        """Parameters ``d`` of shape (I, T)."""
        return self._optimizer.table

    def weights(self) -> Tensor:
        """Return the weights (I, T) of all instances."""
        parts = self.deviation.split(self._widths, dim=1)
        return torch.cat([module.weights(part) for module, part in zip(self._modules, parts, strict=True)], dim=1)

    def set_batch(self, samples: Sequence[Any], names: Sequence[Any]) -> None:
        """Lay the rows of a batch of data samples, whose keys are ``names``, into the modules that see them.

        Raises:
            ValueError: If a name is not one of the training set's.
        """
        seen_by = [[i for i, sample in enumerate(samples) if is_seen(sample, m.instance_tasks)] for m in self._modules]
        counts: Sequence[Tensor | None] = [None] * len(seen_by)
        if any(is_multi_task(sample) for sample in samples):  # then on all ranks, and some may not run every module
            sizes = self.deviation.new_tensor([len(seen) for seen in seen_by])
            all_reduce(sizes, op='mean')
            counts = sizes.unbind()
        self._batch = []
        for module, columns, seen, count in zip(self._modules, self._columns(), seen_by, counts, strict=True):
            seen_names = [names[i] for i in seen]
            rows = [self._keys.row(name) for name in seen_names]
            index = torch.tensor(rows, dtype=torch.long, device=self.deviation.device)
            module.set_instances(self.deviation[index, columns], seen_names, count)
            self._batch.append(index)

    def collect(self) -> None:
        """Take the gradients of the batch from the modules."""
        for module, index, columns in zip(self._modules, self._batch, self._columns(), strict=True):
            kept = module.pop_gradient()
            if kept is None:
                continue
            # Row, gradients, flags and losses in one tensor (B, 1 + 3 T) for one exchange between ranks; float64
            # holds row numbers and float32 values exactly.
            packed = index.new_zeros(len(index), 1 + 3 * len(self.tasks), dtype=torch.float64)
            packed[:, 0] = index
            parts = packed[:, 1:].view(len(index), 3, len(self.tasks))
            parts[:, :, columns] = torch.stack([part.double() for part in kept], dim=1)
            self._pending.append(packed)

    def step(self, scale: float) -> None:
        """Step with everything collected since the last step, on all ranks; ``scale`` 0 only tracks the losses."""
        empty = self.deviation.new_zeros(0, 1 + 3 * len(self.tasks), dtype=torch.float64)
        packed = gather_rows(torch.cat([empty, *self._pending]))
        self._pending = []
        rows = packed[:, 0].long()
        gradient, annotated, losses = packed[:, 1:].float().chunk(3, dim=1)
        if self._history is not None:
            self._history.add(rows, losses, annotated > 0)
        # What all instances of a batch have in common belongs to the shared parameter, which learns more slowly: it
        # would drive them to their limit.
        mean = gradient.sum(dim=0) / annotated.sum(dim=0).clamp(min=1)
        gradient = gradient - torch.where(self._centered, mean, 0.0)
        if scale > 0:
            self._optimizer.step(rows, gradient, annotated > 0, scale)

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, on the CPU; tensors are (T,) or (I, T)."""
        state: dict[str, Any] = dict(self._optimizer.state_dict())
        for name in ('log_variance', 'factor', 'exponent'):
            state[name] = torch.cat([getattr(module, name).detach() for module in self._modules])
        sharpness = [module.sharpness for module in self._modules for _ in module.instance_tasks]
        state['sharpness'] = torch.tensor(sharpness)
        if self._history is not None:
            state |= self._history.state_dict()
        state = {name: value.cpu() if isinstance(value, Tensor) else value for name, value in state.items()}
        return dict(state, tasks=list(self.tasks), fingerprint=self._keys.fingerprint)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned.

        Raises:
            ValueError: If it belongs to another training set or to other tasks.
        """
        if state['fingerprint'] != self._keys.fingerprint:
            raise ValueError(
                'the table of instance parameters belongs to another training set: the checkpoint has '
                f'{state["fingerprint"]}, the data set {self._keys.fingerprint}; restore the data, or train anew'
            )
        if state['tasks'] != list(self.tasks):
            raise ValueError(f'the checkpoint has parameters of tasks {state["tasks"]}, the model {list(self.tasks)}')
        self._optimizer.load_state_dict(state)
        if self._history is not None and 'visits' in state:
            self._history.load_state_dict(state)

    def _columns(self) -> list[slice]:
        """Return the columns of each module."""
        ends = torch.tensor(self._widths).cumsum(0).tolist()
        return [slice(end - width, end) for width, end in zip(self._widths, ends, strict=True)]
