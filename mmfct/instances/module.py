"""The contract of modules that have a row of numbers for every training instance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmfct.instances.comparison import Comparison
from mmfct.utils.distributed import task_means


class InstanceReport(NamedTuple):
    """What a module reports about a batch; all of shape (B, T).

    Args:
        values: What the module's store learns from, such as gradients; 0 where nothing is annotated.
        annotated: Booleans: whether the instance has a label of the task.
        losses: Losses before any weight.
    """

    values: Tensor
    annotated: Tensor
    losses: Tensor


class InstanceModule(nn.Module, ABC):
    """Base of modules that use a row per training instance, with a number for each task.

    The rows are neither parameters nor buffers. An `InstanceStore` keeps those of all instances; before a step it sets
    those of the batch, and after it it takes back a report, so that a step touches no other row. What the numbers mean
    and what is reported is a matter of a pair of module and store: `InstanceParameters` and `InstanceTable` exchange
    parameters and gradients, `mmfct.AgreementWeighting` and `AgreementStore` weights and contrasts.

    Args:
        tasks: Names of the tasks.
        instance: Whether rows are used at all.

    Attributes:
        tasks: Names of the tasks.
        instance_tasks: Names of the tasks that rows must have a number for: all, or none.
        keep_comparisons: Whether to keep the predictions and labels of a batch for :meth:`pop_comparisons`.

    Raises:
        ValueError: If the name of a task cannot be part of that of a file, as in ``suspects_<task>.csv``.
    """

    def __init__(self, tasks: Sequence[str], *, instance: bool = True) -> None:
        super().__init__()
        unusable = [task for task in tasks if Path(f'_{task}').name != f'_{task}']
        if unusable:
            raise ValueError(
                f'`task` must be a name without slashes, since files are called after it, got {unusable!r}'
            )
        self.tasks = tuple(tasks)
        self.instance_tasks = self.tasks if instance else ()
        self._rows: Tensor | None = None
        self._names: Sequence[str] = ()
        self._count: Tensor | None = None
        self._reports: list[InstanceReport] = []
        self.keep_comparisons = False
        self._comparisons: Sequence[Comparison] | None = None

    @abstractmethod
    def weights(self, rows: Tensor) -> Tensor:
        """Return the weights (N, T) of the losses of instances with rows (N, T)."""

    def set_instances(self, rows: Tensor, names: Sequence[str], count: Tensor | None = None) -> None:
        """Set what the next forward pass needs to know about the instances of its batch.

        Args:
            rows: Their rows (B, T).
            names: Their names, for error messages.
            count: Mean of B over ranks, a scalar, where ranks without instances do not run this module: they never
                join a collective in it.
        """
        self._rows, self._names, self._count = rows, names, count
        self._reports = []

    def take_rows(self, batch_size: int) -> Tensor:
        """Return the rows (B, T) of the batch; some heads of the hosts call one loss several times for a batch.

        Raises:
            ValueError: If no hook has set them, or their number is not that of the batch.
        """
        rows = self._rows
        if rows is None:
            raise ValueError(
                'the instances of the batch are unknown; add `dict(type="mmfct.InstanceTaskWeightHook")` to '
                '`custom_hooks` of the config'
            )
        if len(rows) != batch_size:
            raise ValueError(
                f'tasks {self.instance_tasks} must have one loss for each instance that the hook found annotated, '
                f'{len(rows)}, got {batch_size}; in a head of several tasks `task` must be the name of the sub-head'
            )
        return rows

    def report(self, values: Tensor, annotated: Tensor, losses: Tensor) -> None:
        """Leave an `InstanceReport` for the store; ``values`` count only where ``annotated``."""
        self._reports.append(InstanceReport(values.masked_fill(~annotated, 0.0), annotated, losses.detach()))

    def pop_report(self) -> InstanceReport | None:
        """Return the report of the last step, once, and forget its rows; ``None`` if there was no step.

        If the module was called several times, the report has the means over the calls in which an instance is
        annotated: that of its mean loss.
        """
        reports, self._reports, self._rows = self._reports, [], None
        if len(reports) < 2:
            return reports[0] if reports else None
        annotated = torch.stack([report.annotated for report in reports])
        counts = annotated.sum(dim=0).clamp(min=1)
        values = torch.stack([report.values for report in reports]).sum(dim=0) / counts
        losses = torch.stack([report.losses for report in reports]).masked_fill(~annotated, 0.0).sum(dim=0) / counts
        return InstanceReport(values, annotated.any(dim=0), losses)

    def start_late(self, losses: Tensor, annotated: Tensor) -> None:  # noqa: B027 - most have nothing to start
        """Take losses (N, T) of all ranks after the first step, where annotated (N, T)."""

    @property
    def needs_comparisons(self) -> bool:
        """Whether the forward pass takes a `Comparison` of each task."""
        return self.keep_comparisons

    def offer_comparisons(self, comparisons: Sequence[Comparison] | None) -> None:
        """Keep the comparisons of a batch, one of each task, if somebody wants them."""
        self._comparisons = comparisons if self.keep_comparisons else None

    def pop_comparisons(self) -> Sequence[Comparison] | None:
        """Return the comparisons of the last batch, once; ``None`` if there was none."""
        comparisons, self._comparisons = self._comparisons, None
        return comparisons

    def means(self, values: Tensor, annotated: Tensor) -> Tensor:
        """Return the means (T,) of values (B, T) over the instances of the global batch that are annotated (B, T)."""
        return task_means(values, annotated, self._count)

    def logged(self, weights: Tensor, annotated: Tensor) -> Tensor:
        """Return the means (T,) of weights (B, T) for the log: of this rank, as mmengine logs losses.

        Shares of a mean over all ranks, as :meth:`means` returns them, add up only over ranks.
        """
        return weights.masked_fill(~annotated, 0.0).sum(dim=0) / annotated.sum(dim=0).clamp(min=1)

    def check_finite(self, losses: Tensor, annotated: Tensor) -> None:
        """Refuse losses (B, T) that are not finite where annotated (B, T), before they reach any weight.

        Raises:
            ValueError: If there is one; names the file and the task.
        """
        bad = annotated & ~losses.isfinite()
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            name = self._names[row] if len(self._names) == len(losses) else f'instance {row} of the batch'
            raise ValueError(
                f'the loss of task {self.tasks[column]!r} must be finite, got {losses[row, column].item()} for {name}'
            )
