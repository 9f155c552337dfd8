"""Tests of the regression of embeddings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mmfct.registry import MODELS


def build(**options) -> nn.Module:
    return MODELS.build(dict(type='mmfct.EmbeddingRegressionLoss', **options))


@pytest.mark.parametrize(
    ('options', 'reference'),
    [
        ({}, nn.MSELoss()),
        (dict(distance='mse'), nn.MSELoss()),
        (dict(distance='l1'), nn.L1Loss()),
        (dict(distance='cosine'), lambda p, t: nn.CosineEmbeddingLoss()(p, t, torch.ones(len(p)))),
    ],
)
def test_mean_equals_that_of_torch(options, reference):
    prediction, target = torch.randn(7, 3), torch.randn(7, 3)
    losses = build(**options)(prediction, target)
    assert losses.shape == (7,)
    torch.testing.assert_close(losses.mean(), reference(prediction, target))
    for i in range(7):
        torch.testing.assert_close(losses[i], reference(prediction[i : i + 1], target[i : i + 1]))


@pytest.mark.parametrize('distance', ['mse', 'l1', 'cosine'])
def test_is_zero_for_equal_embeddings_and_left_alone(distance):
    prediction = torch.randn(4, 3)
    copied = prediction.clone()
    assert build(distance=distance)(prediction, copied).abs().max() < 1e-6
    assert torch.equal(prediction, copied)


def test_unknown_distance_names_the_choices():
    with pytest.raises(ValueError, match=r"`distance` must be one of \['cosine', 'l1', 'mse'\], got 'l2'"):
        build(distance='l2')
