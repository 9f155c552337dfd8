"""What a module with a learned parameter per training instance shares with the hook that holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmfct.functional.task_weighting import task_weights
from mmfct.utils.distributed import task_means


class InstanceGradient(NamedTuple):
    """Gradients (B, T) of a batch's rows, where they are annotated (B, T), and the losses (B, T) they come from."""

    gradient: Tensor
    annotated: Tensor
    losses: Tensor


class InstanceParameters(nn.Module):
    """Base of modules that use one parameter ``d[i, t]`` per training instance and task.

    The parameters of all instances are neither torch parameters nor buffers: `mmfct.InstanceTaskWeightHook` holds
    them, lays the rows of a batch in here, and takes their gradients back, so that a step never touches the others.

    Args:
        tasks: Names of the tasks.
        factor: k of each task; its weight is ``k exp(-a (s_task + sharpness d))``.
        exponent: a of each task.
        sharpness: How strongly ``d`` acts on the weight.
        scale_power: ``d`` is the logarithm of a scale to this power: 2 for a log-variance, 1 for a log-temperature.
        shared: Whether ``s_task`` is learned; otherwise it stays 0.
        instance: Whether ``d`` is learned; otherwise it stays 0.

    Attributes:
        tasks: Names of the tasks.
        instance_tasks: Names of those whose rows the hook must provide: all, or none.
        log_variance: The parameter ``s_task`` of shape (T,), of the network's optimiser.
    """

    factor: Tensor
    exponent: Tensor

    def __init__(
        self,
        tasks: Sequence[str],
        factor: Sequence[float],
        exponent: Sequence[float],
        *,
        sharpness: float = 1.0,
        scale_power: float,
        shared: bool,
        instance: bool,
    ) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.instance_tasks = self.tasks if instance else ()
        self.sharpness = sharpness
        self.scale_power = scale_power
        self.register_buffer('factor', torch.tensor(factor), persistent=False)
        self.register_buffer('exponent', torch.tensor(exponent), persistent=False)
        self.log_variance = nn.Parameter(torch.zeros(len(self.tasks)), requires_grad=shared)
        self._rows: Tensor | None = None
        self._names: Sequence[str] = ()
        self._count: Tensor | None = None
        self._gradient: InstanceGradient | None = None

    def set_instances(self, rows: Tensor, names: Sequence[str], count: Tensor | None = None) -> None:
        """Lay in what the next batch needs.

        Args:
            rows: Rows ``d`` of its instances, (B, T).
            names: What they are called.
            count: Mean of B over ranks, a scalar, where ranks without instances do not run this module: they would
                not answer if it asked them.
        """
        self._rows, self._names, self._count = rows, names, count

    def means(self, values: Tensor, annotated: Tensor) -> Tensor:
        """Return the means (T,) of values (B, T) over the instances of the global batch that are annotated (B, T)."""
        return task_means(values, annotated, self._count)

    def weights(self, rows: Tensor) -> Tensor:
        """Return the weights (N, T) that belong to rows ``d`` (N, T)."""
        return task_weights(self.log_variance.detach() + self.sharpness * rows, self.factor, self.exponent)

    def keep_gradient(self, gradient: Tensor, annotated: Tensor, losses: Tensor) -> None:
        """Keep the gradients (B, T) of each instance's own objective, and its losses, until the hook takes them."""
        self._gradient = InstanceGradient(gradient.masked_fill(~annotated, 0.0), annotated, losses.detach())

    def pop_gradient(self) -> InstanceGradient | None:
        """Return what :meth:`keep_gradient` kept in the last step, once; ``None`` if there was no step."""
        gradient, self._gradient = self._gradient, None
        return gradient

    def take_rows(self, batch_size: int) -> Tensor:
        """Return the rows of the batch (B, T). They serve once: those of an earlier batch would be wrong.

        Raises:
            ValueError: If no hook has laid them in, or their number is not that of the batch.
        """
        rows, self._rows = self._rows, None
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
