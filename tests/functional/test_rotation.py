"""Rotation matrices against scipy and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mmfct.functional.rotation import rotation_from_6d, rotation_from_vector


def test_two_columns_of_a_rotation_give_it_back():
    expected = torch.from_numpy(Rotation.random(20, rng=0).as_matrix())
    values = torch.cat([expected[..., 0], expected[..., 1]], dim=-1)
    torch.testing.assert_close(rotation_from_6d(values), expected)


def test_any_six_numbers_give_a_rotation():
    matrices = rotation_from_6d(torch.randn(5, 7, 6, dtype=torch.float64))
    assert matrices.shape == (5, 7, 3, 3)
    torch.testing.assert_close(matrices @ matrices.mT, torch.eye(3, dtype=torch.float64).expand_as(matrices))
    torch.testing.assert_close(torch.linalg.det(matrices), torch.ones(5, 7, dtype=torch.float64))


def test_scale_and_slant_do_not_matter():
    values = torch.tensor([2.0, 0, 0, 5.0, 0.5, 0])  # x, and something in the plane of x and y
    torch.testing.assert_close(rotation_from_6d(values), torch.eye(3))


def test_vectors_match_scipy():
    vectors = torch.cat([torch.randn(30, 3), torch.zeros(1, 3), torch.full((1, 3), 1e-9)]).double()
    expected = Rotation.from_rotvec(vectors.numpy()).as_matrix()
    np.testing.assert_allclose(rotation_from_vector(vectors).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(('convert', 'width'), [(rotation_from_6d, 6), (rotation_from_vector, 3)])
def test_gradients_are_finite(convert, width):
    values = torch.zeros(4, width, dtype=torch.float64)
    values[:, ::4] = 1e-3
    values[1:] += 0.5 * torch.randn(3, width, dtype=torch.float64)
    values.requires_grad_()
    assert torch.autograd.gradcheck(convert, values[1:].detach().requires_grad_())
    convert(values).sum().backward()
    assert values.grad.isfinite().all()


def test_a_quarter_turn_about_z():
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    torch.testing.assert_close(rotation_from_vector(torch.tensor([0, 0, math.pi / 2])), quarter, atol=1e-6, rtol=0)
    torch.testing.assert_close(rotation_from_6d(torch.tensor([0.0, 1, 0, -1, 0, 0])), quarter)
