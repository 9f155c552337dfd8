"""Pretended models: what they see of items, and how they turn it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch

from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.retrieval.gallery.provenance import ModelIdentity

WIDTHS = dict(old=12, new=10, side=8)
QUICK = LearnSettings(epochs=4, hidden_dims=16, folds=3)


def see(latent: torch.Tensor, seed: int, dims: range, width: int, noise: float = 0.02) -> torch.Tensor:
    """Embed items, a row of ``latent`` each: some of their dimensions, turned, with noise."""
    generator = torch.Generator().manual_seed(seed)
    turn = torch.linalg.qr(torch.randn(width, width, generator=generator))[0][: len(dims)]
    rows = latent[:, list(dims)] @ turn + 0.3
    return rows + noise * torch.randn(len(latent), width, generator=torch.Generator().manual_seed(seed + 99))


@pytest.fixture
def make_pairs() -> Callable[..., Pairs]:
    """Function that makes pairs: the new model sees 8 dimensions of an item, the old one 5 and side-information 5."""

    def make_pairs(size: int = 300, *, with_side: bool = True, distance: str = 'cosine', **changes) -> Pairs:
        generator = torch.Generator().manual_seed(0)
        labels = torch.randint(12, (size,), generator=generator)
        latent = torch.randn(12, 8, generator=generator)[labels] + 0.6 * torch.randn(size, 8, generator=generator)
        pairs = Pairs(
            ids=np.array([f'item{number}' for number in range(size)]),
            old=see(latent, 1, range(5), WIDTHS['old']),
            new=3 * see(latent, 2, range(8), WIDTHS['new']),
            side=see(latent, 3, range(3, 8), WIDTHS['side']) if with_side else None,
            labels=labels,
            models={role: ModelIdentity.named(role) for role in (*WIDTHS,)},
            distance=distance,
        )
        return dataclasses.replace(pairs, **changes)

    return make_pairs
