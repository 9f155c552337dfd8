"""The mean training loss of every instance."""

from __future__ import annotations

import torch
from torch import Tensor


class LossHistory:
    """Sum the losses of every instance and task over training: a baseline for finding wrong labels.

    Args:
        num_instances: Number of training instances I.
        num_tasks: Number of tasks T.
        device: Where the sums live.

    Attributes:
        loss_sum: Sums of losses of shape (I, T), float32.
        visits: How many losses were added, int32 of shape (I, T).
    """

    def __init__(self, num_instances: int, num_tasks: int, device: torch.device | str = 'cpu') -> None:
        self.loss_sum = torch.zeros(num_instances, num_tasks, device=device)
        self.visits = torch.zeros(num_instances, num_tasks, dtype=torch.int32, device=device)

    def add(self, rows: Tensor, losses: Tensor, annotated: Tensor) -> None:
        """Add losses (B, T) of rows (B,), where annotated (B, T)."""
        self.loss_sum.index_add_(0, rows, torch.where(annotated, losses, 0.0))
        self.visits.index_add_(0, rows, annotated.to(self.visits.dtype))

    def state_dict(self) -> dict[str, Tensor]:
        """Return the sums and the counts, for a checkpoint."""
        return dict(loss_sum=self.loss_sum, visits=self.visits)

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore what :meth:`state_dict` returned, of the same shape."""
        self.loss_sum.copy_(state['loss_sum'])
        self.visits.copy_(state['visits'])


def mean_losses(loss_sum: Tensor, visits: Tensor) -> Tensor:
    """Return the mean losses of a `LossHistory` or of its state, float64 of shape (I, T); NaN without any visit."""
    return loss_sum.double() / visits
