"""Embeddings of the same images by several models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class EmbeddingSet:
    """Embeddings of N images by role; the width may differ from role to role."""

    embeddings: dict[str, Tensor]
    """Role -> float32 embeddings of shape (N, D)."""
    labels: Tensor
    """Class indices of shape (N,)."""
    ids: Tensor
    """``sample_idx`` of the images, of shape (N,)."""

    @property
    def widths(self) -> dict[str, int]:
        """Role -> D."""
        return {role: rows.shape[1] for role, rows in self.embeddings.items()}


def stack_samples(data_samples: Sequence[Mapping[str, Any]], device: torch.device | None = None) -> EmbeddingSet:
    """Make one block of a batch of data samples.

    Args:
        data_samples: B samples with ``embeddings`` (role -> tensor of shape (D,)), ``gt_label``
            and ``sample_idx``.
        device: Where the block is kept; ``None`` for where its embeddings are.

    Raises:
        KeyError: A sample lacks one of the three entries.
        ValueError: The samples differ in roles or widths, an embedding is not a vector, or a
            ``gt_label`` is not a single class, or is below 0.
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
        if int(label) < 0:
            raise ValueError(f'`gt_label` must be a class, got {int(label)}: images without one cannot be scored')
    embeddings = {role: torch.stack([sample['embeddings'][role] for sample in data_samples]) for role in shapes[0]}
    device = device or next((rows.device for rows in embeddings.values()), None)
    return EmbeddingSet(
        # Mixed precision hands over half floats, which do not mix with float in a product.
        {role: rows.detach().to(device, torch.float32) for role, rows in embeddings.items()},
        torch.cat(labels).to(device),
        torch.tensor([int(sample['sample_idx']) for sample in data_samples], device=device),
    )


def concatenate(blocks: Sequence[EmbeddingSet]) -> EmbeddingSet:
    """Join blocks of the same roles; a single block is returned as it is, without a copy."""
    if len(blocks) == 1:
        return blocks[0]
    return EmbeddingSet(
        {role: torch.cat([block.embeddings[role] for block in blocks]) for role in blocks[0].embeddings},
        torch.cat([block.labels for block in blocks]),
        torch.cat([block.ids for block in blocks]),
    )
