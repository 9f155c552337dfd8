"""Tests of the objective in a log-variance."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.functional.task_weighting import (
    WEIGHT_FORMS,
    log_variance_gradient,
    mean_over_valid,
    starting_log_variance,
    task_weights,
    weight_form,
    weighted_losses,
)

FORMS = tuple(WEIGHT_FORMS)


@pytest.mark.parametrize(
    ('form', 'expected'),
    [
        # The terms as the papers write them, with the standard deviation sigma = exp(s / 2).
        ('gaussian', lambda loss, sigma: loss / (2 * sigma**2) + math.log(sigma)),
        ('laplace', lambda loss, sigma: loss / sigma + math.log(sigma)),
        ('classification', lambda loss, sigma: loss / sigma**2 + math.log(sigma)),
    ],
)
def test_objective_in_terms_of_the_standard_deviation(form, expected):
    for loss, s in [(0.0, 1.0), (0.3, -2.0), (4.0, 0.0), (2.0, 3.0)]:
        value = weighted_losses(torch.tensor(loss), torch.tensor(s), *weight_form(form))
        assert value.item() == pytest.approx(expected(loss, math.exp(s / 2)), rel=1e-6)


def test_gradient_is_that_of_autograd():
    losses = torch.rand(5, 3, dtype=torch.float64) * 3
    s = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    factor, exponent = torch.tensor([WEIGHT_FORMS[form] for form in FORMS], dtype=torch.float64).unbind(1)
    weighted_losses(losses, s, factor, exponent).sum().backward()
    torch.testing.assert_close(log_variance_gradient(losses, s.detach(), factor, exponent), s.grad)


@pytest.mark.parametrize(
    ('form', 'minimum'),
    [
        ('gaussian', lambda loss: math.log(loss)),
        ('laplace', lambda loss: 2 * math.log(loss)),
        ('classification', lambda loss: math.log(2 * loss)),
    ],
)
@pytest.mark.parametrize('loss', [0.05, 1.0, 7.0])
def test_minimum_in_the_log_variance(form, minimum, loss):
    losses, s = torch.tensor(loss, dtype=torch.float64), torch.tensor(minimum(loss), dtype=torch.float64)
    assert log_variance_gradient(losses, s, *weight_form(form)).abs() < 1e-12
    torch.testing.assert_close(starting_log_variance(losses, *weight_form(form)), s)
    at, below, above = (weighted_losses(losses, s + step, *weight_form(form)) for step in (0, -0.1, 0.1))
    assert at < min(below, above)


def test_weights_fall_with_the_log_variance_and_are_the_factor_at_zero():
    s = torch.tensor([[0.0], [1.0], [2.0]])
    factor, exponent = torch.tensor([WEIGHT_FORMS[form] for form in FORMS]).unbind(1)
    weights = task_weights(s, factor, exponent)
    assert weights.shape == (3, len(FORMS))
    assert torch.equal(weights[0], factor)
    assert (weights.diff(dim=0) < 0).all()


def test_unknown_form_names_the_choices():
    with pytest.raises(
        ValueError, match=r"`form` must be one of \['classification', 'gaussian', 'laplace'\], got 'l1'"
    ):
        weight_form('l1')


@pytest.mark.parametrize('shape', [(6,), (6, 7), (6, 2, 3, 4), (0, 3)])
def test_mean_over_valid_is_that_of_a_loop(shape):
    values, valid = torch.rand(shape), torch.rand(shape) < 0.6
    if len(values):
        valid[2] = False
    means, annotated = mean_over_valid(values, valid)
    assert means.shape == annotated.shape == shape[:1]
    for i in range(shape[0]):
        chosen = values[i][valid[i]].tolist()
        assert annotated[i].item() == bool(chosen)
        assert means[i].item() == pytest.approx(sum(chosen) / len(chosen) if chosen else 0.0, rel=1e-5)


def test_mean_over_valid_survives_half_precision():
    # The sum of 2 over 256 x 512 pixels is beyond float16, and beyond the digits of bfloat16.
    values = torch.full((1, 1, 256, 512), 2.0)
    for dtype in (torch.float16, torch.bfloat16):
        means, _ = mean_over_valid(values.to(dtype), torch.ones_like(values, dtype=torch.bool))
        assert means.dtype == torch.float32 and means.item() == 2.0


def test_mean_over_valid_leaves_invalid_elements_without_a_gradient():
    values = torch.rand(2, 5, requires_grad=True)
    valid = torch.tensor([[True, False, True, False, False], [False] * 5])
    mean_over_valid(values, valid)[0].sum().backward()
    assert torch.equal(values.grad, valid / 2)
