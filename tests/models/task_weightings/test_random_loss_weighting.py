"""Tests of random weights."""

from __future__ import annotations

import pytest
import torch


def draw(weighting, batch, steps: int) -> torch.Tensor:
    """Weights (steps, 3) of the next steps."""
    return torch.stack([weighting(*batch)[1] for _ in range(steps)])


def test_weights_add_up_to_one_and_are_new_in_every_step(build, batch, means):
    weighting = build('RandomLossWeighting')
    objective, weights = weighting(*batch)
    torch.testing.assert_close(objective, (weights * means).sum())
    weights = draw(weighting, batch, 50)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(50))
    assert len(weights.unique(dim=0)) == 50 and weights.min() > 0


def test_logarithms_of_ratios_are_normal(build, batch):
    # log(w_1 / w_2) is the difference of two standard normal draws: mean 0, variance 2, unrelated from step to step.
    weights = draw(build('RandomLossWeighting', seed=3), batch, 2000)
    ratios = (weights[:, 0] / weights[:, 1]).log()
    assert abs(ratios.mean()) < 0.13 and abs(ratios.var() - 2) < 0.26
    assert abs(torch.corrcoef(torch.stack([ratios[1:], ratios[:-1]]))[0, 1]) < 0.1
    quantiles = torch.distributions.Normal(0, 2**0.5).cdf(ratios.sort().values)
    assert (quantiles - torch.linspace(0, 1, 2000)).abs().max() < 0.04  # Kolmogorov and Smirnov, p = 0.003


def test_draws_depend_on_the_seed_and_on_nothing_else(build, batch):
    weights = draw(build('RandomLossWeighting', seed=1), batch, 3)
    torch.manual_seed(7)
    assert torch.equal(draw(build('RandomLossWeighting', seed=1), batch, 3), weights)
    assert not torch.equal(draw(build('RandomLossWeighting', seed=2), batch, 3), weights)
    state = torch.get_rng_state()
    draw(build('RandomLossWeighting'), batch, 1)
    assert torch.equal(torch.get_rng_state(), state)


def test_resumes_where_it_stopped(build, batch):
    whole = build('RandomLossWeighting')
    weights = draw(whole, batch, 7)
    first, second = build('RandomLossWeighting'), build('RandomLossWeighting')
    draw(first, batch, 4)
    second.load_state_dict(first.state_dict())
    assert torch.equal(draw(second, batch, 3), weights[4:])


def test_weights_of_the_annotated_tasks_add_up_to_one(build, batch):
    losses, annotated = batch
    _, weights = build('RandomLossWeighting')(losses, annotated & torch.tensor([True, False, True]))
    assert weights[1] == 0
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))


def test_a_seed_below_zero_is_refused(build):
    with pytest.raises(ValueError, match='`seed` must be at least 0, got -1'):
        build('RandomLossWeighting', seed=-1)
