"""Tests of the losses weighted by a predicted variance."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.functional.uncertainty import heteroscedastic_loss


def test_value_is_that_of_the_paper():
    losses, log_variance = torch.tensor([0.0, 2.0, 3.0]), torch.tensor([1.0, 0.0, -2.0])
    expected = [0.5 * (math.exp(-s) * loss + s) for loss, s in zip([0.0, 2.0, 3.0], [1.0, 0.0, -2.0], strict=True)]
    assert heteroscedastic_loss(losses, log_variance).tolist() == pytest.approx(expected, rel=1e-6)


def test_the_best_variance_is_the_loss_itself():
    losses = torch.tensor([0.1, 1.0, 7.0], dtype=torch.double)
    log_variance = losses.log().requires_grad_()
    heteroscedastic_loss(losses, log_variance).sum().backward()
    assert log_variance.grad.abs().max() < 1e-12


def test_arguments_are_left_alone():
    losses, log_variance = torch.ones(3), torch.ones(3)
    heteroscedastic_loss(losses, log_variance)
    assert losses.eq(1).all() and log_variance.eq(1).all()
