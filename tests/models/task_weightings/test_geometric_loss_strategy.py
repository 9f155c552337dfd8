"""Tests of the geometric mean of losses."""

from __future__ import annotations

import pytest
import torch


def test_is_the_root_of_the_product(build, batch, means):
    objective, weights = build('GeometricLossStrategy')(*batch)
    torch.testing.assert_close(objective, means.prod() ** (1 / 3))  # LibMTL's formula
    torch.testing.assert_close(weights * means, objective.detach().expand(3) / 3)


def test_scaling_one_loss_changes_no_direction(build, batch):
    losses, annotated = batch
    build('GeometricLossStrategy')(losses, annotated)[0].backward()
    scaled = (losses.detach() * torch.tensor([1.0, 8.0, 1.0])).requires_grad_()
    build('GeometricLossStrategy')(scaled, annotated)[0].backward()
    ratios = (scaled.grad * scaled.detach())[annotated] / (losses.grad * losses.detach())[annotated]
    torch.testing.assert_close(ratios, torch.full_like(ratios, 2.0))  # the cube root of 8


def test_a_task_without_annotation_is_no_factor(build, batch, means):
    losses, annotated = batch
    objective, weights = build('GeometricLossStrategy')(losses, annotated & torch.tensor([True, False, True]))
    torch.testing.assert_close(objective, (means[0] * means[2]).sqrt())
    assert weights[1] == 0
    objective.backward()
    assert torch.equal(losses.grad[:, 1], torch.zeros(4)) and losses.grad[0, 0] > 0


def test_an_absent_task_has_no_weight_beside_large_losses(build, batch):
    losses, annotated = batch
    _, weights = build('GeometricLossStrategy')(1000 * losses, annotated & torch.tensor([True, False, True]))
    assert weights[1] == 0 and weights.isfinite().all()


def test_a_loss_of_zero_keeps_the_gradient_finite(build, batch):
    losses, annotated = batch
    objective, weights = build('GeometricLossStrategy')(losses * torch.tensor([1.0, 0.0, 1.0]), annotated)
    objective.backward()
    assert objective < 1e-9 and losses.grad.isfinite().all() and weights.isfinite().all()


def test_losses_below_zero_are_refused(build, batch):
    losses, annotated = batch
    with pytest.raises(ValueError, match=r'`losses` must be at least 0 for a geometric mean, got means \[-1.0, '):
        build('GeometricLossStrategy')(-losses, annotated)
