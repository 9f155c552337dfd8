"""Labels of a batch under the predictions of other images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
from mmengine.dist import all_gather, get_rank, get_world_size
from torch import Tensor

# Rows and columns of a map that are compared: on street scenes of 512x1024, such a grid ranks labels as all pixels do.
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
        cls,
        loss: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
        outputs: Tensor,
        targets: Tensor,
        *,
        most: int = _MOST,
    ) -> Comparison:
        """Compare maps on a grid of at most ``most`` x ``most`` of their pixels, and everything else as it is."""
        outputs = outputs.detach()
        if outputs.dim() == 4 and targets.shape[-2:] == outputs.shape[-2:]:
            outputs, targets = _thin(outputs, most), _thin(targets, most)
        return cls(loss, outputs.float(), targets)

    @torch.no_grad()
    def losses(
        self, number: int, *, earlier: Iterable[Comparison] = (), all_ranks: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Return the losses of the labels under their own predictions, and under those of other images.

        The others are the next images of the global batch, in the order in which a single process would have it.

        Args:
            number: Most other predictions to compare with.
            earlier: Earlier batches, for a global batch of a single image; those of another size do not count.
            all_ranks: Whether all ranks run this together.

        Returns:
            Losses (B,), and losses (K, B) under K other predictions, fewer than ``number`` in a small batch; NaN where
            there is no label, or where the other image has the same.
        """
        pool, place = self._pool(all_ranks)
        if len(pool.outputs) == 1:
            like = [pool, *(other for other in earlier if other.outputs.shape[1:] == pool.outputs.shape[1:])]
            outputs, targets = torch.cat([o.outputs for o in like]), torch.cat([o.targets for o in like])
            pool = Comparison(self.loss, outputs, targets)
        own, annotated = self.loss(self.outputs, self.targets)
        others = []
        for step in range(1, min(number, len(pool.outputs) - 1) + 1):
            other = (place + step) % len(pool.outputs)
            losses, _ = self.loss(pool.outputs[other], self.targets)
            others.append(losses.masked_fill(same_labels(self.targets, pool.targets[other]), torch.nan))
        own = own.masked_fill(~annotated, torch.nan)
        return own, torch.stack(others) if others else own.new_zeros(0, len(own))

    def _pool(self, all_ranks: bool) -> tuple[Comparison, Tensor]:
        """Return the instances of all ranks, or of this one, and where those of this rank are."""
        here = torch.arange(len(self.outputs), device=self.outputs.device)
        if not all_ranks or get_world_size() == 1:
            return self, here
        shape = torch.tensor([*self.outputs.shape, 0, 0, 0, 0, 0][:5], device=self.outputs.device)
        if any(not torch.equal(other, shape) for other in all_gather(shape)):
            return self, here  # ranks whose images differ in size or number do not exchange them
        # mmengine's sampler deals images out in turn: rank r has r, r + world size, ...
        pool = [torch.stack(all_gather(part.contiguous()), dim=1).flatten(0, 1) for part in self[1:]]
        return Comparison(self.loss, *pool), here * get_world_size() + get_rank()


def same_labels(first: Tensor, second: Tensor) -> Tensor:
    """Return whether pairs of labels (N, ...) and (N or 1, ...) are the same class or row of numbers, (N,).

    The prediction of an image with the same label fits a right label as well as its own image's: of a class that most
    images have, every label would look wrong. Maps are never taken for the same.
    """
    if first.dim() > 2:
        return torch.zeros(len(first), dtype=torch.bool, device=first.device)
    return (first == second).flatten(1).all(dim=1) if first.dim() == 2 else first == second


def _thin(maps: Tensor, most: int) -> Tensor:
    """Return at most ``most`` evenly spaced rows and columns of maps (..., H, W)."""
    for dim in (-2, -1):
        size = maps.shape[dim]
        if size > most:
            chosen = torch.linspace(0, size - 1, most, device=maps.device).round().long()
            maps = maps.index_select(dim, chosen)
    return maps
