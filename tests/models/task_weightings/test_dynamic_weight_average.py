"""Tests of weights by how fast losses fall."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor


def run_epoch(weighting, epoch: int, losses: Tensor, annotated: Tensor, batch_size: int = 3) -> Tensor:
    """Weights (3,) of an epoch with losses (N, 3)."""
    weighting.set_epoch(epoch)
    parts = zip(losses.split(batch_size), annotated.split(batch_size), strict=True)
    weights = torch.stack([weighting(*part)[1] for part in parts])
    assert torch.equal(weights, weights[:1].expand_as(weights))  # the same in the whole epoch
    return weights[0]


@pytest.fixture
def epochs() -> tuple[Tensor, Tensor]:
    """Losses (5, 7, 3) of five epochs of seven instances, and what is annotated (7, 3)."""
    return torch.rand(5, 7, 3) + 0.2, torch.rand(7, 3) < 0.7


def test_formula(build, epochs):
    # The paper's equations 7 in plain numpy; LibMTL's are the same.
    weighting = build('DynamicWeightAverage', temperature=1.5)
    losses, annotated = epochs
    weights = [run_epoch(weighting, epoch, losses[epoch], annotated).numpy() for epoch in range(5)]
    means = [np.ma.array(part.numpy(), mask=~annotated.numpy()).mean(axis=0).data for part in losses]
    for epoch in range(5):
        expected = np.ones(3)
        if epoch >= 2:
            powers = np.exp(means[epoch - 1] / means[epoch - 2] / 1.5)
            expected = 3 * powers / powers.sum()
        np.testing.assert_allclose(weights[epoch], expected, rtol=1e-6)


def test_objective_is_the_weighted_sum(build, epochs, batch, means):
    weighting = build('DynamicWeightAverage')
    for epoch in range(2):
        run_epoch(weighting, epoch, epochs[0][epoch], epochs[1])
    weighting.set_epoch(2)
    objective, weights = weighting(*batch)
    assert weights.std() > 0.01
    torch.testing.assert_close(objective, (weights * means).sum())
    torch.testing.assert_close(weights.sum(), torch.tensor(3.0))


def test_the_size_of_batches_does_not_matter(build, epochs):
    losses, annotated = epochs
    results = []
    for batch_size in (2, 7):
        weighting = build('DynamicWeightAverage')
        results.append([run_epoch(weighting, e, losses[e], annotated, batch_size) for e in range(4)])
    torch.testing.assert_close(*map(torch.stack, results))


def test_a_task_that_stops_improving_weighs_more(build):
    weighting = build('DynamicWeightAverage')
    annotated = torch.ones(2, 3, dtype=torch.bool)
    for epoch in range(3):
        losses = torch.tensor([[0.5**epoch, 1.0, 0.9**epoch]]).expand(2, 3)
        weights = run_epoch(weighting, epoch, losses, annotated)
    assert weights[1] > weights[2] > weights[0]


def test_a_task_without_annotation_in_an_epoch_has_rate_one(build, epochs):
    weighting = build('DynamicWeightAverage')
    losses, annotated = epochs[0], torch.ones(7, 3, dtype=torch.bool)
    run_epoch(weighting, 0, losses[0], annotated)
    run_epoch(weighting, 1, losses[1], annotated & torch.tensor([True, False, True]))
    weights = run_epoch(weighting, 2, losses[2], annotated)
    rates = losses[1].mean(0) / losses[0].mean(0)
    rates[1] = 1
    torch.testing.assert_close(weights, 3 * (rates / 2).softmax(0))


def test_resumes_where_it_stopped(build, epochs):
    losses, annotated = epochs
    whole = build('DynamicWeightAverage')
    weights = [run_epoch(whole, epoch, losses[epoch], annotated) for epoch in range(5)]
    for stop in range(1, 5):
        first, second = build('DynamicWeightAverage'), build('DynamicWeightAverage')
        for epoch in range(stop):
            run_epoch(first, epoch, losses[epoch], annotated)
        second.load_state_dict(first.state_dict())
        for epoch in range(stop, 5):
            assert torch.equal(run_epoch(second, epoch, losses[epoch], annotated), weights[epoch])


def test_another_training_starts_anew(build, epochs):
    losses, annotated = epochs
    used, new = build('DynamicWeightAverage'), build('DynamicWeightAverage')
    for epoch in range(4):
        run_epoch(used, epoch, losses[epoch], annotated)
    for epoch in range(3):
        weights = [run_epoch(each, epoch, losses[epoch], annotated) for each in (used, new)]
        assert torch.equal(*weights)


@pytest.mark.parametrize('temperature', [0, -1.0, math.nan])
def test_a_temperature_of_zero_is_refused(build, temperature):
    with pytest.raises(ValueError, match='`temperature` must be above 0, got'):
        build('DynamicWeightAverage', temperature=temperature)


def test_an_unknown_epoch_is_refused(build, batch):
    with pytest.raises(ValueError, match='the epoch must be known .* train with a Runner of mmengine'):
        build('DynamicWeightAverage')(*batch)
