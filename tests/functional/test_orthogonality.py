"""Tests of the relaxed orthogonality."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import ortho_group

from mmfct.functional.orthogonality import relaxed_orthogonality


def rotation(width: int) -> torch.Tensor:
    return torch.from_numpy(ortho_group.rvs(width, random_state=0))


@pytest.mark.parametrize(('scale', 'slack'), [(2.0, 1.0), (1.2, 1.0), (1.0, 0.5), (0.0, 3.0)])
def test_closed_form_of_a_scaled_rotation(scale, slack):
    distance = abs(scale**2 - 1) * math.sqrt(5)  # || s^2 I - I ||_F
    expected = distance / (1 + math.exp(-4 * (distance - slack)))
    penalty = relaxed_orthogonality(scale * rotation(5), slack=slack, sharpness=4)
    assert penalty.item() == pytest.approx(expected, abs=1e-9)


def test_training_stops_at_the_slack():
    weight = torch.nn.Parameter(torch.randn(6, 6, dtype=torch.float64))
    optimizer = torch.optim.SGD([weight], lr=0.001)
    for _ in range(2000):
        optimizer.zero_grad()
        relaxed_orthogonality(weight, slack=2, sharpness=50).backward()
        optimizer.step()
    assert torch.linalg.matrix_norm(weight @ weight.T - torch.eye(6)).item() == pytest.approx(2, abs=0.3)


def test_the_gradient():
    weight = torch.randn(4, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda matrix: relaxed_orthogonality(matrix, slack=1.0), weight)


def test_an_orthogonal_matrix_has_a_finite_gradient():
    weight = torch.eye(4, requires_grad=True)
    relaxed_orthogonality(weight, slack=0.0).backward()
    assert weight.grad.isfinite().all()


@pytest.mark.parametrize('shape', [(3, 4), (3,)])
def test_a_matrix_that_is_not_square(shape):
    with pytest.raises(ValueError, match='`weight` must be a square matrix, got shape'):
        relaxed_orthogonality(torch.zeros(shape), slack=1.0)
