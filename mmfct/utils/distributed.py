"""Rows and means over all ranks of a distributed job."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, all_reduce, get_world_size
from torch import Tensor


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows (N, ...) of all ranks, rank after rank, the same on every rank; ranks may differ in N."""
    parts = gather_parts(rows)
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def gather_parts(rows: Tensor) -> list[Tensor]:
    """Return the rows (N, ...) of each rank, the same list on every rank; ranks may differ in N."""
    if get_world_size() == 1:
        return [rows]
    counts = [int(count) for count in all_gather(torch.tensor([len(rows)], device=rows.device))]
    if len(rows) < max(counts):  # collectives need equal shapes
        rows = torch.cat([rows, rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])])
    return [part[:count] for part, count in zip(all_gather(rows), counts, strict=True)]


def task_means(losses: Tensor, annotated: Tensor, count: Tensor | None = None) -> Tensor:
    """Return the mean loss of each task over its annotated instances.

    Ranks hold different numbers of annotations, so each divides by their mean: the mean over ranks, which DDP takes of
    the gradients, is then the mean over the instances of the global batch.

    Args:
        losses: Losses of shape (B, T).
        annotated: Booleans of the same shape.
        count: Mean over ranks of the number of annotated instances, a scalar, if it is known: no all-reduce is needed
            then.

    Returns:
        Means of shape (T,), 0 for a task without an annotation in the batch.
    """
    if count is None:
        counts = annotated.sum(dim=0).to(losses.dtype)
        all_reduce(counts, op='mean')
    else:
        counts = count.to(losses.dtype)
    # Not a clamp at 1: one annotation on one of four ranks is a count of 1/4.
    counts = torch.where(counts > 0, counts, torch.ones_like(counts))
    return torch.where(annotated, losses, torch.zeros_like(losses)).sum(dim=0) / counts


def global_means(losses: Tensor, annotated: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean loss of each task over the global batch, and which tasks have one.

    The values are means over all ranks, the gradient is that of this rank's share. A function of them therefore has
    the same value on every rank as in a single process, and the mean of the gradients over ranks, which DDP takes, is
    its gradient.

    Args:
        losses: Losses of shape (B, T).
        annotated: Booleans of the same shape.

    Returns:
        Means of shape (T,), float32, 0 for a task without an annotation in the batch; and booleans (T,).
    """
    means = task_means(losses.float(), annotated)  # half precision has too few digits for products of losses
    exchanged = torch.stack([means.detach(), annotated.any(dim=0).to(means.dtype)])
    all_reduce(exchanged, op='mean')
    return means + (exchanged[0] - means.detach()), exchanged[1] > 0
