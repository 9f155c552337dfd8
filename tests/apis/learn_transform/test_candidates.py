"""Candidates: what each one fits, and that its network says what was fitted."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import normalize

from mmfct.apis.learn_transform.candidates import candidate_names, fit_candidate
from mmfct.apis.learn_transform.mixture import mix, mixture_weights
from mmfct.apis.learn_transform.networks import hidden_width
from mmfct.apis.learn_transform.problem import Problem
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.functional.linear_fits import Moments, fit_procrustes, fit_ridge
from mmfct.retrieval.transform.network import TransformNetwork

from .conftest import QUICK


def error(network, problem: Problem) -> float:
    """Squared error in proportion to the variance."""
    rest = network(problem.old, problem.side) - problem.new
    return (rest.square().sum() / (problem.new - problem.new.mean(0)).square().sum()).item()


def test_names_say_what_fits(make_pairs):
    without = ['procrustes', 'low-rank', 'ridge', 'inflated', 'residual', 'fct']
    assert candidate_names(Problem.of(make_pairs(with_side=False))) == without
    pairs = make_pairs()
    assert candidate_names(Problem.of(pairs)) == [*without, *(f'{name}+side' for name in without[1:])]
    assert candidate_names(Problem.of(replace(pairs, new=pairs.old)))[0] == 'identity'


@pytest.mark.parametrize('distance', ['cosine', 'l2'])
def test_every_candidate_learns(make_pairs, distance):
    pairs = make_pairs(distance=distance)
    problem = Problem.of(pairs)
    train, test = problem.take(torch.arange(200)), Problem.of(pairs.take(torch.arange(200, 300)))
    errors = {name: error(fit_candidate(name, train, LearnSettings()), test) for name in candidate_names(problem)}
    for name, value in errors.items():
        assert value < (0.75 if name.startswith(('procrustes', 'fct')) else 0.5), (name, value)
        if name.endswith('+side') and not name.startswith('fct'):
            assert value < 0.2 * errors[name.removesuffix('+side')]


def test_networks_take_stored_vectors_of_any_length_with_the_cosine_distance(make_pairs):
    pairs = make_pairs()
    for name in candidate_names(Problem.of(pairs)):
        network = fit_candidate(name, Problem.of(pairs), QUICK)
        assert network.uses_side == name.endswith('+side')
        torch.testing.assert_close(network(pairs.old, pairs.side), network(2 * pairs.old, 5 * pairs.side))


def test_lengths_are_learned_with_other_distances_and_ignored_on_demand(make_pairs):
    pairs = make_pairs(distance='l2')
    problem = Problem.of(pairs, input_normalised=True)
    torch.testing.assert_close(problem.old, normalize(pairs.old, dim=1))
    assert torch.equal(problem.new, pairs.new) and problem.unit_inputs
    assert torch.equal(Problem.of(pairs).old, pairs.old) and not Problem.of(pairs).unit_inputs


def test_linear_candidates_are_the_fits_of_the_functions(make_pairs):
    problem = Problem.of(make_pairs())
    joined = torch.cat([problem.old, problem.side], dim=1)
    alone, both = Moments.of(problem.old, problem.new), Moments.of(joined, problem.new)
    ridge = fit_ridge(both, joined, problem.new)
    for name, expected in (
        ('procrustes', fit_procrustes(alone)(problem.old)),
        ('ridge', fit_ridge(alone, problem.old, problem.new).map(problem.old)),
        ('ridge+side', ridge.map(joined)),
        ('inflated+side', ridge.inflated(0.4)(joined)),
    ):
        found = fit_candidate(name, problem, LearnSettings())(problem.old, problem.side)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_low_rank(make_pairs):
    problem = Problem.of(make_pairs())
    ridge = fit_candidate('ridge', problem, QUICK)(problem.old, problem.side)
    full = fit_candidate('low-rank', problem, QUICK)(problem.old, problem.side)  # 64 of 10 dimensions
    torch.testing.assert_close(full, ridge, rtol=1e-4, atol=1e-5)
    narrow = fit_candidate('low-rank', problem, LearnSettings(rank=3))(problem.old, problem.side)
    assert torch.linalg.matrix_rank(narrow - narrow.mean(0), rtol=1e-4) == 3


def test_a_residual_network_learns_what_is_not_linear(make_pairs):
    pairs = make_pairs(1500, distance='l2')
    bent = replace(pairs, new=torch.cat([pairs.new, (2 * pairs.old[:, :4]).abs()], dim=1))
    problem = Problem.of(bent)
    train, test = problem.take(torch.arange(1200)), problem.take(torch.arange(1200, 1500))
    settings = LearnSettings(epochs=60, hidden_dims=64, dropout=0.0)
    assert error(fit_candidate('residual', train, settings), test) < 0.8 * error(
        fit_candidate('ridge', train, settings), test
    )


def test_networks_are_as_wide_as_the_pairs_can_teach():
    settings = LearnSettings(hidden_dims=512)
    assert [hidden_width(pairs, settings) for pairs in (10, 100, 500, 1350, 50_000)] == [16, 16, 112, 336, 512]


def test_a_fit_depends_on_its_seed_alone(make_pairs):
    problem = Problem.of(make_pairs())
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, again, other = (
        fit_candidate('fct', problem, LearnSettings(epochs=2, hidden_dims=16, seed=seed))(problem.old)
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ('name', 'changes'),
    [
        ('ridge', dict(penalties=(30.0,))),
        ('inflated', dict(inflation=0.9)),
        ('low-rank', dict(rank=2)),
        ('fct', dict(hidden_dims=32)),
        ('fct', dict(pairs_per_unit=12.0)),
        ('fct', dict(epochs=3)),
        ('fct', dict(flops=1.0)),  # two epochs
        ('fct', dict(patience=1)),
        ('fct', dict(batch_size=32)),
        ('fct', dict(lr=1e-2)),
        ('fct', dict(weight_decay=0.5)),
        ('residual', dict(dropout=0.0)),
    ],
    ids=str,
)
def test_every_knob_of_a_fit_turns_something(make_pairs, name, changes):
    problem = Problem.of(make_pairs(300, with_side=False))
    if name == 'residual':  # which learns only what is not linear
        problem = replace(problem, new=torch.cat([problem.new, problem.old.abs()], dim=1))
    usual = LearnSettings(epochs=20, hidden_dims=64, lr=3e-2 if 'patience' in changes else 1e-3)
    first, again, other = (
        fit_candidate(name, problem, settings)(problem.old) for settings in (usual, usual, replace(usual, **changes))
    )
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_mixture_weights_are_found_again():
    one, other, noise = (torch.randn(200, 5, generator=torch.Generator().manual_seed(seed)) for seed in range(3))
    weights = mixture_weights(dict(one=one + 3, other=other, noise=noise), 0.7 * one + 0.4 * other - 2)
    assert weights == {'one': pytest.approx(0.7), 'other': pytest.approx(0.4)}


def test_a_mixture_is_one_network(make_pairs):
    problem = Problem.of(make_pairs())
    networks = [fit_candidate(name, problem, QUICK) for name in ('ridge', 'fct+side', 'residual+side')]
    shift = torch.randn(10)
    mixed = mix(list(zip((0.5, 0.3, 0.2), networks, strict=True)), shift)
    expected = sum(
        weight * network(problem.old, problem.side) for weight, network in zip((0.5, 0.3, 0.2), networks, strict=True)
    )
    torch.testing.assert_close(mixed(problem.old, problem.side), expected + shift, rtol=1e-4, atol=1e-5)
    again = TransformNetwork.from_weights(mixed.structure, mixed.state_dict())
    assert torch.equal(again(problem.old, problem.side), mixed(problem.old, problem.side))


@pytest.mark.parametrize(
    ('entries', 'message'),
    [
        (dict(rang=3), r"must have settings among .* got \['rang'\]"),
        (dict(folds=1), '`folds` of the settings must be a whole number in range, got 1'),
        (dict(epochs=2.5), '`epochs` of the settings must be a whole number in range, got 2.5'),
        (dict(batch_size=1), '`batch_size` of the settings'),
        (dict(dropout=1.0), '`dropout` of the settings'),
        (dict(penalties=[]), '`penalties` of the settings'),
        (dict(lr='fast'), "`lr` of the settings must be a number in range, got 'fast'"),
    ],
)
def test_settings_that_mean_nothing(entries, message):
    with pytest.raises(ValueError, match=message):
        LearnSettings.from_config(entries)
    assert LearnSettings.from_config(dict(penalties=[1, 2], rank=3)) == LearnSettings(penalties=(1, 2), rank=3)
