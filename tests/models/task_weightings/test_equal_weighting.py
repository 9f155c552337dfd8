"""Tests of linear scalarisation with equal weights."""

from __future__ import annotations

import pytest
import torch

from mmfct.registry import MODELS


def test_the_objective_is_the_sum_of_the_means_over_annotated_instances():
    losses = torch.tensor([[1.0, 5.0, 9.0], [3.0, float('nan'), 9.0], [5.0, 7.0, 9.0]], requires_grad=True)
    annotated = torch.tensor([[True, True, False], [True, False, False], [True, True, False]])
    module = MODELS.build(dict(type='mmfct.EqualWeighting', forms=dict.fromkeys('abc', 'laplace')))
    assert module.tasks == ('a', 'b', 'c') and not list(module.parameters())
    objective, weights = module(losses, annotated)
    assert objective.item() == pytest.approx(3 + 6)  # nobody is annotated for the third
    assert torch.equal(weights, torch.ones(3))
    objective.backward()
    expected = torch.tensor([[1 / 3, 1 / 2, 0], [1 / 3, 0, 0], [1 / 3, 1 / 2, 0]])
    torch.testing.assert_close(losses.grad, expected)
