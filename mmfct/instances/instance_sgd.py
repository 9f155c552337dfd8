"""SGD that touches only the rows of a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class InstanceSGD:
    """Hold a parameter per training instance and task, and step only those of a batch.

    A step gathers B rows, moves them, and scatters them: its cost does not depend on the number of instances. Entries
    without annotation in the batch keep their value and their momentum. State: 4 bytes per instance and task, and 4
    more with momentum.

    Args:
        num_instances: Number of training instances I.
        num_tasks: Number of tasks T.
        lr: Learning rate; one to two orders of magnitude above the network's, since an instance is visited once per
            epoch.
        momentum: Momentum over the steps in which the instance takes part.
        decay: Weight decay: adds ``decay / 2 * d^2`` to the objective of each instance of the batch.
        limit: Largest absolute value, a number or one per task (T,).
        device: Where the table lives.

    Attributes:
        table: Parameters ``d`` of shape (I, T), float32, 0 at first.
        velocity: Momentum of shape (I, T), or ``None``.

    Raises:
        ValueError: If an option is out of range.
    """

    def __init__(
        self,
        num_instances: int,
        num_tasks: int,
        lr: float,
        *,
        momentum: float = 0.0,
        decay: float = 0.0,
        limit: float | Tensor = math.inf,
        device: torch.device | str = 'cpu',
    ) -> None:
        if not lr > 0:
            raise ValueError(f'`lr` must be above 0, got {lr!r}')
        if not 0 <= momentum < 1:
            raise ValueError(f'`momentum` must be at least 0 and below 1, got {momentum!r}')
        if decay < 0:
            raise ValueError(f'`decay` must be at least 0, got {decay!r}')
        self.lr = lr
        self.momentum = momentum
        self.decay = decay
        self.limit = torch.as_tensor(limit, dtype=torch.float32, device=device)
        self.table = torch.zeros(num_instances, num_tasks, device=device)
        self.velocity = torch.zeros_like(self.table) if momentum else None

    def step(self, rows: Tensor, gradient: Tensor, annotated: Tensor) -> None:
        """Move the rows of a batch against their gradients.

        Args:
            rows: Row of each instance, int64 of shape (B,); gradients of an instance that occurs twice are added.
            gradient: Gradients of shape (B, T).
            annotated: Booleans (B, T); where false nothing moves.
        """
        unique, inverse = rows.unique(return_inverse=True)
        values = self.table[unique]
        gradient = torch.where(annotated, gradient + self.decay * values[inverse], 0.0)
        total = torch.zeros_like(values).index_add_(0, inverse, gradient)
        touched = torch.zeros_like(values).index_add_(0, inverse, annotated.to(values.dtype)) > 0
        if self.velocity is not None:
            velocity = self.velocity[unique]
            total = torch.where(touched, self.momentum * velocity + total, velocity)
            self.velocity[unique] = total
        moved = (values - self.lr * total).clamp(-self.limit, self.limit)
        self.table[unique] = torch.where(touched, moved, values)

    def state_dict(self) -> dict[str, Tensor | None]:
        """Return the table and the velocity, for a checkpoint."""
        return dict(deviation=self.table, velocity=self.velocity)

    def load_state_dict(self, state: dict[str, Tensor | None]) -> None:
        """Restore what :meth:`state_dict` returned.

        Raises:
            ValueError: If the table has another shape.
        """
        table, velocity = state['deviation'], state['velocity']
        if table is None or table.shape != self.table.shape:
            got = None if table is None else tuple(table.shape)
            raise ValueError(f'the table must have shape {tuple(self.table.shape)}, got {got}')
        self.table.copy_(table)
        if self.velocity is not None and velocity is not None:
            self.velocity.copy_(velocity)
