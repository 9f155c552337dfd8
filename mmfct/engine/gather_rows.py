"""Put rows of different ranks together."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, get_world_size
from torch import Tensor


def gather_rows(rows: Tensor) -> Tensor:
    """Return the rows (N, ...) of all ranks, rank after rank, the same on every rank; ranks may differ in N."""
    if get_world_size() == 1:
        return rows
    counts = [int(count) for count in all_gather(torch.tensor([len(rows)], device=rows.device))]
    if len(rows) < max(counts):  # collectives need equal shapes
        rows = torch.cat([rows, rows.new_zeros(max(counts) - len(rows), *rows.shape[1:])])
    return torch.cat([part[:count] for part, count in zip(all_gather(rows), counts, strict=True)])
