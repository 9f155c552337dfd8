"""Linear maps with closed-form solutions, against scipy, scikit-learn and plain loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import Ridge

from mmfct.functional.linear_fits import PENALTIES, AffineMap, Moments, RidgeFit, fit_procrustes, reduce_rank
from mmfct.functional.linear_fits import fit_ridge as fit_ridge_of


@pytest.fixture
def pairs() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 7, generator=generator).double() * torch.linspace(0.1, 3, 7)
    noise = 0.3 * torch.randn(60, 5, generator=generator)
    return inputs + 2, (inputs @ torch.randn(7, 5, generator=generator).double()).tanh() + noise - 1


def fit_ridge(inputs: torch.Tensor, targets: torch.Tensor, **options) -> RidgeFit:
    return fit_ridge_of(Moments.of(inputs, targets), inputs, targets, **options)


def procrustes(inputs: torch.Tensor, targets: torch.Tensor) -> AffineMap:
    return fit_procrustes(Moments.of(inputs, targets))


@pytest.mark.parametrize('swap', [False, True])
def test_procrustes_is_scipys_with_a_scale(pairs, swap):
    inputs, targets = pairs[::-1] if swap else pairs
    width = 7
    padded = [
        np.pad((rows - rows.mean(0)).numpy(), ((0, 0), (0, width - rows.shape[1]))) for rows in (inputs, targets)
    ]
    rotation, values = orthogonal_procrustes(*padded)
    scale = values / (padded[0] ** 2).sum()
    expected = (scale * padded[0] @ rotation)[:, : targets.shape[1]] + targets.mean(0).numpy()
    np.testing.assert_allclose(procrustes(inputs, targets)(inputs), expected, atol=1e-8)


def test_procrustes_finds_a_rotation_again(pairs):
    inputs, _ = pairs
    rotation = torch.linalg.qr(torch.randn(7, 7).double())[0]
    fit = procrustes(inputs, 0.5 * inputs @ rotation + 3)
    torch.testing.assert_close(fit.weight, 0.5 * rotation)


@pytest.mark.parametrize('rows', [6, 60])
def test_ridge_with_one_penalty_is_that_of_scikit_learn(pairs, rows):
    inputs, targets = (values[:rows] for values in pairs)
    fit = fit_ridge(inputs, targets, penalties=[0.1])
    penalty = 0.1 * (inputs - inputs.mean(0)).square().sum().item() / 7
    expected = Ridge(penalty).fit(inputs.numpy(), targets.numpy())
    np.testing.assert_allclose(fit.map(inputs), expected.predict(inputs.numpy()), atol=1e-8)


def leave_one_out(inputs, targets, penalty: float) -> np.ndarray:
    """Errors of a plain loop; the penalty is that of all rows, and the means are those of the others."""
    total = penalty * (inputs - inputs.mean(0)).square().sum().item() / inputs.shape[1]
    residuals = []
    for out in range(len(inputs)):
        kept = [row for row in range(len(inputs)) if row != out]
        model = Ridge(total).fit(inputs[kept].numpy(), targets[kept].numpy())
        residuals.append(targets[out].numpy() - model.predict(inputs[out : out + 1].numpy())[0])
    return np.array(residuals)


@pytest.mark.parametrize('rows', [6, 60])
def test_the_penalty_has_the_least_leave_one_out_error(pairs, rows):
    inputs, targets = (values[:rows] for values in pairs)
    errors = [(leave_one_out(inputs, targets, penalty) ** 2).mean(0).sum() for penalty in PENALTIES]
    fit = fit_ridge(inputs, targets)
    assert fit.penalty == PENALTIES[int(np.argmin(errors))] and fit.error == pytest.approx(min(errors), rel=1e-6)
    expected = leave_one_out(inputs, targets, fit.penalty)
    np.testing.assert_allclose(fit.left_out_errors(inputs, targets), expected, atol=1e-8)


def test_inflation_gives_back_the_spread_that_shrinking_takes(pairs):
    inputs, targets = pairs
    fit = fit_ridge(inputs, targets, penalties=[1.0])
    centred = (targets - targets.mean(0)).numpy()
    turned = np.linalg.eigh(centred.T @ centred)[1]
    predicted = (centred - leave_one_out(inputs, targets, 1.0)) @ turned
    ratio = np.sqrt((centred @ turned).var(0) / (predicted**2).mean(0))
    assert (ratio > 1.05).all()
    for share in (0, 0.5, 1):
        inflated = fit.inflated(share)
        np.testing.assert_allclose(inflated.weight @ turned, (fit.map.weight @ turned) * ratio**share, rtol=1e-6)
        torch.testing.assert_close(inflated(inputs).mean(0), targets.mean(0))
    with pytest.raises(ValueError, match='`share` must lie between 0 and 1, got 2'):
        fit.inflated(2)


def test_float32_rows_and_more_of_them_than_are_looked_at(pairs, monkeypatch):
    inputs, targets = (values.float() for values in pairs)
    exact, every = fit_ridge(*pairs), fit_ridge(*pairs, penalties=[0.1])
    monkeypatch.setattr('mmfct.functional.linear_fits._ROWS_PER_CHUNK', 7)
    torch.testing.assert_close(fit_ridge(inputs, targets).map(inputs), exact.map(inputs), rtol=1e-3, atol=1e-4)
    monkeypatch.setattr('mmfct.functional.linear_fits._MOST_ROWS', 20)
    fit = fit_ridge(inputs, targets, penalties=[0.1])
    torch.testing.assert_close(fit.map.weight, every.map.weight, rtol=1e-3, atol=1e-4)
    assert fit.error != pytest.approx(every.error, rel=1e-6)


def test_few_rows_of_wide_targets_and_more_of_them_than_are_looked_at(monkeypatch):
    inputs, targets = torch.randn(40, 6).double(), torch.randn(40, 30).double()
    exact = fit_ridge(inputs, targets, penalties=[0.1])
    monkeypatch.setattr('mmfct.functional.linear_fits._MOST_ROWS', 20)
    torch.testing.assert_close(fit_ridge(inputs, targets, penalties=[0.1]).map.weight, exact.map.weight)


def test_moments_of_the_first_dimensions(pairs):
    inputs, targets = pairs
    for found, expected in zip(Moments.of(inputs, targets).first(4), Moments.of(inputs[:, :4], targets), strict=True):
        torch.testing.assert_close(found, expected)


def test_reduced_rank(pairs):
    inputs, targets = pairs
    full = fit_ridge(inputs, targets).map
    predicted = full(inputs)
    mean = predicted.mean(0)
    left, values, right = torch.linalg.svd(predicted - mean, full_matrices=False)
    for rank in (1, 3, 5):
        first, second = reduce_rank(full, Moments.of(inputs, targets), rank)
        assert first.shape == (7, rank) and second.weight.shape == (rank, 5)
        expected = left[:, :rank] * values[:rank] @ right[:rank] + mean  # Eckart and Young
        torch.testing.assert_close(second(inputs @ first), expected)
    with pytest.raises(ValueError, match=r'`rank` must lie in \[1, 5\], got 6'):
        reduce_rank(full, Moments.of(inputs, targets), 6)


@pytest.mark.parametrize('spread', [1.0, 0.0])
def test_reduced_rank_of_narrow_inputs(spread):
    """The smaller problem finds what the products of all dimensions find, also where an input never varies."""
    inputs, targets = torch.randn(40, 6).double(), torch.randn(40, 30).double()
    inputs[:, 2] *= spread
    full, moments = fit_ridge(inputs, targets, penalties=[0.1]).map, Moments.of(inputs, targets)
    products = full.weight.T @ moments.inputs @ full.weight
    for rank in (1, 3, 6):
        first, second = reduce_rank(full, moments, rank)
        directions = torch.linalg.eigh(products).eigenvectors[:, -rank:]
        mean = full(inputs).mean(0)
        expected = (full(inputs) - mean) @ directions @ directions.T + mean
        torch.testing.assert_close(second(inputs @ first), expected, rtol=1e-6, atol=1e-9)
    assert first.shape == (6, 6) and second.weight.shape == (6, 30)


def test_what_cannot_be_fitted(pairs):
    inputs, targets = pairs
    with pytest.raises(ValueError, match='must be as many rows, at least two, got shapes'):
        Moments.of(inputs[:4], targets)
    with pytest.raises(ValueError, match='must be as many rows, at least two'):
        Moments.of(inputs[:1], targets[:1])
    with pytest.raises(ValueError, match='`penalties` must be positive'):
        fit_ridge(inputs, targets, penalties=[0.0, 1.0])


def test_dimensions_that_never_vary(pairs):
    inputs, targets = pairs
    constant = torch.cat([inputs, torch.full((60, 2), 4.0).double()], dim=1)
    padded = fit_ridge(constant, targets, penalties=[0.1]).map
    # The same penalty in proportion to the mean variance of nine dimensions, of which two have none.
    torch.testing.assert_close(padded(constant), fit_ridge(inputs, targets, penalties=[0.1 * 7 / 9]).map(inputs))
