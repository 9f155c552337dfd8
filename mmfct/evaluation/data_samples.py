"""Turn the data samples of an evaluation into embedding sets: by batch, then of a rank, then of all ranks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

from mmfct.evaluation.embedding_set import EmbeddingSet, sets_of_roles
from mmfct.functional.retrieval_scores import UNKNOWN
from mmfct.utils.distributed import gather_parts

# Role of a model -> its embeddings of the images; all roles share labels and ids.
Roles = dict[str, EmbeddingSet]


def stack_samples(data_samples: Sequence[Mapping[str, Any]], device: torch.device | None = None) -> Roles:
    """Stack the data samples of a batch.

    Args:
        data_samples: B samples with ``embeddings`` (role -> tensor of shape (D,)), ``gt_label`` and ``sample_idx``.
        device: Device of the result; ``None`` for that of the embeddings.

    Raises:
        KeyError: If a sample lacks one of the three entries.
        ValueError: If the samples differ in roles or widths, an embedding is not a vector, or a ``gt_label`` is not a
            single class or -1.
    """
    for sample in data_samples:
        for key in ('embeddings', 'gt_label', 'sample_idx'):
            if key not in sample:
                raise KeyError(f'a data sample must have `{key}`, got {sorted(sample)!r}')
    shapes = [{role: tuple(x.shape) for role, x in sample['embeddings'].items()} for sample in data_samples]
    for shape in shapes:
        if shape != shapes[0] or any(len(s) != 1 for s in shape.values()):
            raise ValueError(
                '`embeddings` must map the same roles to vectors of the same width in all '
                f'samples, got shapes {shapes[0]!r} and {shape!r}'
            )
    labels = [torch.as_tensor(sample['gt_label']).reshape(-1) for sample in data_samples]
    for label in labels:
        if label.numel() != 1:
            raise ValueError(f'`gt_label` must be a single class index, got {label.tolist()!r}')
        if int(label) < UNKNOWN:
            raise ValueError(f'`gt_label` must be a class from 0, or -1 for an unknown one, got {int(label)}')
    embeddings = {role: torch.stack([sample['embeddings'][role] for sample in data_samples]) for role in shapes[0]}
    device = device or next((rows.device for rows in embeddings.values()), None)
    return sets_of_roles(
        # Mixed precision yields half floats, which cannot be multiplied with floats.
        {role: rows.detach().to(device, torch.float32) for role, rows in embeddings.items()},
        torch.cat(labels).to(device),
        torch.tensor([int(sample['sample_idx']) for sample in data_samples], device=device),
    )


def concatenate(batches: Sequence[Roles]) -> Roles:
    """Join batches of the same roles; a single batch is returned as it is, without a copy."""
    if len(batches) == 1:
        return batches[0]
    images = [next(iter(batch.values())) for batch in batches]
    return sets_of_roles(
        {role: torch.cat([batch[role].embeddings for batch in batches]) for role in batches[0]},
        torch.cat([items.labels for items in images]),
        torch.cat([torch.as_tensor(items.ids) for items in images]),
    )


def widths(roles: Roles) -> dict[str, int]:
    """Return the width of each role's embeddings."""
    return {role: items.width for role, items in roles.items()}


def gather_over_ranks(local: Roles | None, size: int) -> Roles:
    """Put the sets of all ranks together, in the order of the data set, on every rank.

    Rank r holds samples r, r + world size, ... (mmengine's ``DefaultSampler``), and the sampler repeats the first
    samples until all ranks have the same number: the ranks are interleaved and the result is cut to ``size``, as
    ``mmengine.dist.collect_results`` does.

    Args:
        local: What this rank has; ``None`` for nothing.
        size: Number of samples in the data set.

    Raises:
        ValueError: If no rank has a sample, or ranks differ in roles or widths.
    """
    held = None if local is None else widths(local)
    schemas = [schema for schema in all_gather_object(held) if schema is not None]
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
        local = sets_of_roles({role: torch.zeros(0, width) for role, width in schemas[0].items()}, empty, empty)
    images = next(iter(local.values()))
    return sets_of_roles(
        # Role by role in the order of the first rank, or ranks would exchange different roles.
        {role: _interleave(local[role].embeddings, size) for role in schemas[0]},
        _interleave(images.labels, size),
        _interleave(torch.as_tensor(images.ids), size),
    )


def check_images(roles: Roles) -> None:
    """Refuse images whose embeddings are not finite, which cannot be told from one another, or have no class at all.

    Raises:
        ValueError: If an embedding is not finite, an id occurs twice, or the class of no image is known.
    """
    for role, items in roles.items():
        bad = int((~torch.isfinite(items.embeddings).all(dim=1)).sum())
        if bad:
            raise ValueError(
                f'`embeddings` must be finite, got NaN or infinite values for role {role!r} in '
                f'{bad} of {len(items)} rows'
            )
    images = next(iter(roles.values()))
    if images.num_unlabelled == len(images):
        raise ValueError(
            f'`gt_label` must be a class for some images, got -1 for all {len(images)}: retrieval is scored by classes'
        )
    ids = torch.as_tensor(images.ids)
    num_ids = len(ids.unique())
    if num_ids < len(ids):
        raise ValueError(
            '`sample_idx` must be unique in the data set, or a self-match cannot be told from '
            f'another image (a concatenated data set repeats it), got {num_ids} values for {len(ids)} samples'
        )


def _interleave(rows: Tensor, size: int) -> Tensor:
    """Rows (n, ...) of this rank -> the first ``size`` rows of all ranks, taken in turn."""
    parts = gather_parts(rows)
    if len(parts) == 1:
        return rows[:size]
    turns = torch.cat([torch.arange(len(part)) for part in parts]).argsort(stable=True)
    return torch.cat(parts)[turns[:size].to(rows.device)]
