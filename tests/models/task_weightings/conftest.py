"""What the tests of all weightings share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from mmfct.registry import MODELS

FORMS = dict(seg='classification', depth='laplace', pose='gaussian')


@pytest.fixture
def build() -> Callable[..., nn.Module]:
    """Function that builds a weighting of the tasks seg, depth and pose."""

    def make(name: str, **options) -> nn.Module:
        return MODELS.build(dict(type=f'mmfct.{name}', forms=FORMS, **options))

    return make


@pytest.fixture
def batch() -> tuple[Tensor, Tensor]:
    """Losses (4, 3) with a gradient, and what is annotated: three, two and all of the instances."""
    losses = torch.tensor([[0.5, 2.0, 9.0], [1.5, 7.0, 1.0], [1.0, 4.0, 5.0], [3.0, 6.0, 5.0]], requires_grad=True)
    annotated = torch.tensor([[1, 1, 1], [1, 0, 1], [1, 0, 1], [0, 1, 1]], dtype=torch.bool)
    return losses, annotated


@pytest.fixture
def means() -> Tensor:
    """Means (3,) of `batch`, by hand."""
    return torch.tensor([1.0, 4.0, 5.0])
