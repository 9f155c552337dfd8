"""Corrections of the lengths and of the spread of embeddings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.functional.spread import LengthFit, fit_lengths, fit_scale, fit_spread


@pytest.fixture
def new() -> torch.Tensor:
    return torch.randn(50, 6) * torch.rand(50, 1) + torch.ones(6)


def test_one_factor_is_found_again(new):
    fit = fit_scale(new / 3, new)
    assert (fit.slope, fit.intercept) == (pytest.approx(3), 0)
    torch.testing.assert_close(fit(new / 3), new)


def test_a_line_is_that_of_numpy(new):
    upgraded = new + torch.randn(50, 6)
    fit = fit_lengths(upgraded, new)
    expected = np.polyfit(upgraded.double().norm(dim=1), new.double().norm(dim=1), 1)
    assert (fit.slope, fit.intercept) == pytest.approx(tuple(expected), rel=1e-6)
    lengths = fit(upgraded).norm(dim=1)
    torch.testing.assert_close(lengths, (fit.slope * upgraded.norm(dim=1) + fit.intercept).clamp(min=0))
    assert torch.cosine_similarity(fit(upgraded), upgraded).min() > 0.9999


def test_rows_of_one_length_get_the_mean_length(new):
    unit = torch.nn.functional.normalize(new, dim=1)
    fit = fit_lengths(unit, new)
    assert fit.slope == 0 and fit.intercept == pytest.approx(new.norm(dim=1).mean().item())


def test_zero_rows_stay_and_lengths_are_not_negative():
    rows = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.3, 0.4]])
    assert LengthFit(1.0, -1.0)(rows).tolist() == [[0, 0], pytest.approx([2.4, 3.2]), [0, 0]]


def test_spread_and_mean_become_those_of_the_new_ones(new):
    upgraded = 0.4 * (new - 2) + 7
    fit = fit_spread(upgraded, new)
    assert fit.factor == pytest.approx(2.5) and fit.offset.shape == (6,)
    torch.testing.assert_close(fit(upgraded), new)
    noisy = upgraded + torch.randn(50, 6)
    corrected = fit_spread(noisy, new)(noisy)
    torch.testing.assert_close(corrected.mean(dim=0), new.mean(dim=0))
    torch.testing.assert_close((corrected - corrected.mean(dim=0)).norm(), (new - new.mean(dim=0)).norm())
    assert corrected.dtype == noisy.dtype


@pytest.mark.parametrize('fit', [fit_scale, fit_lengths, fit_spread])
def test_bad_input(fit, new):
    with pytest.raises(ValueError, match=r'`new` must have the shape of `upgraded`, with rows, got \(49, 6\) and'):
        fit(new, new[1:])
    with pytest.raises(ValueError, match='with rows, got'):
        fit(new[:0], new[:0])
    with pytest.raises(ValueError, match='`upgraded` must have rows that differ, got equal ones'):
        fit(torch.zeros(3, 2), torch.ones(3, 2))
