"""How rows get into modules, and reports and losses back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor

from mmfct.instances.keys import InstanceKeys
from mmfct.instances.loss_history import LossHistory
from mmfct.instances.module import InstanceModule, InstanceReport
from mmfct.instances.sample_tasks import is_multi_task, is_seen
from mmfct.utils.distributed import gather_rows


class InstanceExchange:
    """Give modules the rows of a batch, take their reports back from all ranks, and record the losses.

    It learns nothing: every `InstanceStore` has one, and alone it records what a trained network makes of its training
    set.

    Args:
        modules: The modules.
        keys: Keys of the training instances; row i belongs to the i-th.
        device: Where the recorded losses live.
        track_losses: Whether to record losses.

    Attributes:
        tasks: Names of the tasks of all modules, one after the other: the T columns.
        columns: Those of each module.
        history: The recorded losses, or ``None``.

    Raises:
        ValueError: If two modules have a task of one name.
    """

    def __init__(
        self,
        modules: Sequence[InstanceModule],
        keys: InstanceKeys,
        *,
        device: torch.device | str,
        track_losses: bool = True,
    ) -> None:
        self.tasks = tuple(task for module in modules for task in module.instance_tasks)
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError(f'`task` must be unique in a model, got {self.tasks!r}')
        self.columns: list[slice] = []
        for module in modules:
            start = self.columns[-1].stop if self.columns else 0
            self.columns.append(slice(start, start + len(module.instance_tasks)))
        self.history = LossHistory(len(keys), len(self.tasks), device) if track_losses else None
        self._modules = modules
        self._keys = keys
        self._device = device
        self._batch: list[Tensor] = []
        self._pending: list[Tensor] = []

    def set_batch(self, samples: Sequence[Any], names: Sequence[Any], table: Tensor | None = None) -> None:
        """Give each module the rows of those instances of a batch that it sees.

        Args:
            samples: Data samples of the batch.
            names: Keys of their instances.
            table: Rows of all instances, (I, T); ``None`` for 0 everywhere.

        Raises:
            ValueError: If a name is not one of the training set's.
        """
        seen_by = [[i for i, sample in enumerate(samples) if is_seen(sample, m.instance_tasks)] for m in self._modules]
        counts: Sequence[Tensor | None] = [None] * len(seen_by)
        if any(is_multi_task(sample) for sample in samples):  # then on all ranks, and some may not run every module
            sizes = torch.tensor([float(len(seen)) for seen in seen_by], device=self._device)
            all_reduce(sizes, op='mean')
            counts = sizes.unbind()
        self._batch = []
        for module, columns, seen, count in zip(self._modules, self.columns, seen_by, counts, strict=True):
            seen_names = [names[i] for i in seen]
            rows = [self._keys.row(name) for name in seen_names]
            index = torch.tensor(rows, dtype=torch.long, device=self._device)
            values = torch.zeros(len(rows), columns.stop - columns.start, device=self._device)
            module.set_instances(values if table is None else table[index, columns], seen_names, count)
            self._batch.append(index)

    @property
    def batch_rows(self) -> list[Tensor]:
        """Rows of the instances of the batch that each module sees, int64 of shape (B,) each."""
        return self._batch

    def collect(self) -> None:
        """Take the reports of the batch from the modules."""
        for module, index, columns in zip(self._modules, self._batch, self.columns, strict=True):
            report = module.pop_report()
            if report is None:
                continue
            # Row, values, flags and losses in one tensor (B, 1 + 3 T) for one exchange between ranks; float64 holds
            # row numbers and float32 values exactly.
            packed = index.new_zeros(len(index), 1 + 3 * len(self.tasks), dtype=torch.float64)
            packed[:, 0] = index
            parts = packed[:, 1:].view(len(index), 3, len(self.tasks))
            parts[:, :, columns] = torch.stack([part.double() for part in report], dim=1)
            self._pending.append(packed)

    def take_reports(self) -> tuple[Tensor, InstanceReport]:
        """Return what was collected since the last call, of all ranks, and record its losses.

        Returns:
            Row of each of N instances, int64 of shape (N,), and what was reported about it, (N, T). Each module has a
            part of its own: an instance comes as often as modules have seen it.
        """
        empty = torch.zeros(0, 1 + 3 * len(self.tasks), dtype=torch.float64, device=self._device)
        packed = gather_rows(torch.cat([empty, *self._pending]))
        self._pending = []
        rows = packed[:, 0].long()
        values, annotated, losses = packed[:, 1:].float().chunk(3, dim=1)
        report = InstanceReport(values, annotated > 0, losses)
        for module, columns in zip(self._modules, self.columns, strict=True):
            module.start_late(report.losses[:, columns], report.annotated[:, columns])
        if self.history is not None:
            self.history.add(rows, report.losses, report.annotated)
        return rows, report

    def state_dict(self) -> dict[str, Any]:
        """Return the recorded losses, if any, and what they belong to."""
        state: dict[str, Any] = {} if self.history is None else dict(self.history.state_dict())
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
        if self.history is not None and 'visits' in state:
            self.history.load_state_dict(state)
