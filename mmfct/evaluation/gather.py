"""Put the embeddings of all ranks together."""

from __future__ import annotations

import torch
from mmengine.dist import all_gather, all_gather_object
from torch import Tensor

from mmfct.evaluation.embedding_set import EmbeddingSet


def gather_over_ranks(local: EmbeddingSet | None, size: int) -> EmbeddingSet:
    """Put the sets of all ranks together, in the order of the data set, on every rank.

    Rank r holds samples r, r + world size, ... (mmengine's ``DefaultSampler``), and the sampler
    repeats the first samples until all ranks have the same number: the ranks are interleaved and
    the result is cut to ``size``, as ``mmengine.dist.collect_results`` does.

    Args:
        local: What this rank has; ``None`` for nothing.
        size: Number of samples in the data set.

    Raises:
        ValueError: No rank has a sample, or ranks differ in roles or widths.
    """
    held = all_gather_object((len(local.ids), local.widths) if local else (0, None))
    counts = [count for count, _ in held]
    schemas = [widths for _, widths in held if widths is not None]
    if not schemas:
        raise ValueError(
            'no embeddings to evaluate: `process` must be called with at least one data sample '
            'before `evaluate`, got none on any rank'
        )
    for schema in schemas:
        if schema != schemas[0]:
            raise ValueError(
                f'`embeddings` must have the same roles and widths on all ranks, got {schemas[0]!r} and {schema!r}'
            )
    if local is None:
        empty = torch.zeros(0, dtype=torch.long)
        local = EmbeddingSet({r: torch.zeros(0, d) for r, d in schemas[0].items()}, empty, empty)
    return EmbeddingSet(
        # Role by role in the order of the first rank, or ranks would exchange different roles.
        {role: _interleave(local.embeddings[role], counts, size) for role in schemas[0]},
        _interleave(local.labels, counts, size),
        _interleave(local.ids, counts, size),
    )


def _interleave(rows: Tensor, counts: list[int], size: int) -> Tensor:
    """Rows (n, ...) of this rank -> the first ``size`` rows of all ranks, taken in turn."""
    longest = max(counts)
    if len(rows) < longest:  # collectives need equal shapes
        rows = torch.cat([rows, rows.new_zeros(longest - len(rows), *rows.shape[1:])])
    parts = all_gather(rows)
    if len(parts) == 1:
        return parts[0][:size]
    merged = torch.stack(parts, dim=1).flatten(0, 1)  # (longest, world size, ...) -> (N, ...)
    if min(counts) < longest:
        real = torch.arange(longest)[:, None] < torch.tensor(counts)  # (longest, world size)
        merged = merged[real.flatten().to(merged.device)]
    return merged[:size]
