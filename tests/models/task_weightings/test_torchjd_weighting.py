"""Tests of TorchJD's scalarizers."""

from __future__ import annotations

import importlib
import sys

import pytest
import torch
from torch import nn

PREFERENCE = dict(seg=0.2, depth=0.5, pose=0.3)
CHOICES = {
    'COSMOS': dict(lambda_=0.5, weights=PREFERENCE),
    'Constant': dict(weights=PREFERENCE),
    'GeometricMean': {},
    'IMTLL': {},
    'Mean': {},
    'PBI': dict(theta=1.0, weights=PREFERENCE),
    'STCH': dict(mu=0.1, weights=PREFERENCE, reference=dict(seg=0.1, depth=0.0, pose=0.2)),
    'Sum': {},
    'UW': {},
}


@pytest.fixture
def scalarization():
    return importlib.import_module('torchjd.scalarization')


@pytest.fixture
def build_torchjd(scalarization, build):
    """Function that builds a weighting with a scalarizer of some name."""

    def make(name: str, options: dict | None = None) -> nn.Module:
        return build('TorchJDWeighting', scalarizer=name, options=options)

    return make


@pytest.mark.parametrize('name', CHOICES)
def test_is_the_scalarizer_of_the_means(scalarization, build_torchjd, batch, means, name):
    weighting = build_torchjd(name, CHOICES[name])
    tensors = {
        key: torch.tensor(list(value.values())) if isinstance(value, dict) else value
        for key, value in CHOICES[name].items()
    }
    scalarizer = getattr(scalarization, name)(*[3] * (name in ('IMTLL', 'UW')), **tensors)
    with torch.no_grad():
        for ours, theirs in zip(weighting.parameters(), scalarizer.parameters(), strict=True):
            theirs.copy_(torch.tensor([0.3, -0.2, 0.1]))
            ours.copy_(theirs)
    point = means.requires_grad_()
    expected = scalarizer(point)
    expected.backward()
    losses, annotated = batch
    objective, weights = weighting(losses, annotated)
    torch.testing.assert_close(objective, expected)
    torch.testing.assert_close(weights, point.grad)
    objective.backward()
    torch.testing.assert_close(losses.grad, annotated * (point.grad / annotated.sum(dim=0)))
    for ours, theirs in zip(weighting.parameters(), scalarizer.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad)


def test_all_choices_are_tested(build_torchjd):
    with pytest.raises(ValueError) as error:
        build_torchjd('none')
    assert f'one of {sorted(CHOICES)}, ' in str(error.value)


@pytest.mark.parametrize('name', CHOICES)
def test_a_task_without_annotation_does_not_take_part(build_torchjd, batch, name):
    weighting = build_torchjd(name, CHOICES[name])
    losses, annotated = batch
    objective, weights = weighting(losses, annotated & torch.tensor([True, False, True]))
    assert weights[1] == 0 and (weights[[0, 2]] != 0).any()
    objective.backward()
    assert torch.equal(losses.grad[:, 1], torch.zeros(4))
    assert all(parameter.grad[1] == 0 and parameter.grad[2] != 0 for parameter in weighting.parameters())


@pytest.mark.parametrize('name', CHOICES)
def test_a_batch_without_any_annotation_is_zero_and_has_a_gradient(build_torchjd, batch, name):
    weighting = build_torchjd(name, CHOICES[name])
    losses, annotated = batch
    objective, _ = weighting(losses, torch.zeros_like(annotated))
    objective.backward()
    assert objective == 0
    grads = [losses.grad, *(parameter.grad for parameter in weighting.parameters())]
    assert all(torch.equal(grad, torch.zeros_like(grad)) for grad in grads)


def test_geometric_mean_is_gls_and_sum_is_equal_weighting(build_torchjd, build, batch):
    for name, ours in dict(GeometricMean='GeometricLossStrategy', Sum='EqualWeighting').items():
        theirs = build_torchjd(name)(*batch)
        torch.testing.assert_close(theirs, build(ours)(*batch))


def test_works_without_gradients(build_torchjd, batch):
    with torch.no_grad():
        objective, weights = build_torchjd('STCH', dict(mu=1.0))(*batch)
    assert not objective.requires_grad and weights.isfinite().all()


def test_parameters_are_in_the_checkpoint_and_tensors_move(build_torchjd):
    weighting = build_torchjd('UW')
    assert list(weighting.state_dict()) == ['scalarizer.log_var']
    weighting = build_torchjd('Constant', dict(weights=PREFERENCE))
    assert weighting.double().scalarizer.weights.dtype == torch.float64  # as `to(device)` moves it


@pytest.mark.parametrize(
    ('name', 'message'),
    [
        ('PCGrad', r"`scalarizer` must be one of \['COSMOS', .*'UW'\], got 'PCGrad'$"),
        ('DWA', "got 'DWA' .*use mmfct.DynamicWeightAverage"),
        ('FAMO', "got 'FAMO' .*the losses of the same batch again after the step"),
        ('Random', "got 'Random' .*use mmfct.RandomLossWeighting"),
    ],
)
def test_unknown_names(build_torchjd, name, message):
    with pytest.raises(ValueError, match=message):
        build_torchjd(name)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(mu=1.0, nu=1.0), "`options` must be arguments of STCH.*'nu'"),
        ({}, "`options` must be arguments of STCH.*'mu'"),
        (dict(mu=1.0, weights=dict(seg=1)), r"`weights` must have a number for each .*got \{'seg': 1\}"),
    ],
)
def test_options_that_do_not_fit(build_torchjd, options, message):
    with pytest.raises(ValueError, match=message):
        build_torchjd('STCH', options)


def test_without_torchjd_the_message_says_how_to_install_it(build, monkeypatch):
    monkeypatch.setitem(sys.modules, 'torchjd', None)
    with pytest.raises(ImportError, match='needs TorchJD; install it with `pip install torchjd`'):
        build('TorchJDWeighting', scalarizer='Mean')


def test_half_precision_changes_no_weight(build_torchjd):
    losses, annotated = torch.tensor([[0.7531, 0.7532, 0.7533]]), torch.ones(1, 3, dtype=torch.bool)
    weighting = build_torchjd('PBI', CHOICES['PBI'])
    _, exact = weighting(losses, annotated)
    with torch.autocast('cpu', torch.float16):
        _, half = weighting(losses, annotated)
    assert torch.equal(half, exact) and exact.isfinite().all()
