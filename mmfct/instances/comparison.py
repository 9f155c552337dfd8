"""Labels of a batch under the predictions of other images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor

# Rows and columns of a map that are compared: thousands of pixels tell as much as hundreds of thousands.
_MOST = 64


class Comparison(NamedTuple):
    """Predictions and labels of a batch in one task, and the loss between them.

    Args:
        loss: Function of outputs (N, ...) and targets (N, ...), which returns the loss of each pair (N,) and booleans
            (N,): whether it has a label.
        outputs: Outputs (B, ...), float32 without gradient.
        targets: Labels (B, ...).
    """

    loss: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
    outputs: Tensor
    targets: Tensor

    @classmethod
    def of(
        cls, loss: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], outputs: Tensor, targets: Tensor
    ) -> Comparison:
        """Compare maps on a grid of at most 64 x 64 of their pixels, and everything else as it is."""
        outputs = outputs.detach().float()
        if outputs.dim() == 4 and targets.shape[-2:] == outputs.shape[-2:]:
            outputs, targets = _thin(outputs), _thin(targets)
        return cls(loss, outputs, targets)

    @torch.no_grad()
    def losses(self, number: int, *, earlier: Iterable[Tensor] = (), all_ranks: bool = True) -> tuple[Tensor, Tensor]:
        """Return the losses of the labels under their own predictions, and under those of other images.

        The others are the next images of the global batch, in the order in which a single process would have it.

        Args:
            number: Most other predictions to compare with.
            earlier: Outputs (N, ...) of earlier batches, for a global batch of a single image; those of another size
                do not count.
            all_ranks: Whether all ranks run this together.

        Returns:
            Losses (B,), and losses (K, B) under K other predictions, fewer than ``number`` in a small batch.
        """
        pool, place = self._pool(all_ranks)
        if len(pool) == 1:
            pool = torch.cat([pool, *(outputs for outputs in earlier if outputs.shape[1:] == pool.shape[1:])])
        own, _ = self.loss(self.outputs, self.targets)
        others = [
            self.loss(pool[(place + step) % len(pool)], self.targets)[0]
            for step in range(1, min(number, len(pool) - 1) + 1)
        ]
        return own, torch.stack(others) if others else own.new_zeros(0, len(own))

    def _pool(self, all_ranks: bool) -> tuple[Tensor, Tensor]:
        """Return the outputs of all ranks, or of this one, and where those of this rank are."""
        here = torch.arange(len(self.outputs))
        if not all_ranks or get_world_size() == 1:
            return self.outputs, here
        shape = torch.tensor([*self.outputs.shape, 0, 0, 0, 0, 0][:5], device=self.outputs.device)
        if any(not torch.equal(other, shape) for other in all_gather(shape)):
            return self.outputs, here  # ranks whose images differ in size or number do not exchange them
        # mmengine's sampler deals images out in turn: rank r has r, r + world size, ...
        pool = torch.stack(all_gather(self.outputs.contiguous()), dim=1).flatten(0, 1)
        return pool, here * get_world_size() + get_rank()


def _thin(maps: Tensor) -> Tensor:
    """Return at most 64 evenly spaced rows and columns of maps (..., H, W)."""
    for dim in (-2, -1):
        size = maps.shape[dim]
        if size > _MOST:
            chosen = torch.linspace(0, size - 1, _MOST, device=maps.device).round().long()
            maps = maps.index_select(dim, chosen)
    return maps
