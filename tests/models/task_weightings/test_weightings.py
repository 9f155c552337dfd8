"""What holds for every weighting without parameters of its own."""

from __future__ import annotations

import pytest
import torch

from mmfct.models.task_weightings import TaskWeighting

NAMES = {
    'EqualWeighting': {},
    'FixedWeighting': dict(weights=dict(seg=1.0, depth=0.5, pose=2.0)),
    'DynamicWeightAverage': {},
    'RandomLossWeighting': {},
    'GeometricLossStrategy': {},
}


@pytest.fixture(params=NAMES)
def weighting(request, build):
    weighting = build(request.param, **NAMES[request.param])
    weighting.set_epoch(0)
    return weighting


def test_keeps_the_contract(weighting):
    assert isinstance(weighting, TaskWeighting)
    assert weighting.tasks == ('seg', 'depth', 'pose') and not weighting.needs_comparisons


def test_returns_a_scalar_and_the_derivative_in_each_mean(weighting, batch):
    losses, annotated = batch
    objective, weights = weighting(losses, annotated)
    assert objective.shape == () and weights.shape == (3,) and not weights.requires_grad
    objective.backward()
    torch.testing.assert_close(losses.grad, annotated * (weights / annotated.sum(dim=0)))


def test_what_is_not_annotated_does_not_matter(weighting, batch):
    losses, annotated = batch
    weighting.eval()  # the same random draw twice
    expected, weights = weighting(losses, annotated)
    for value in (-100.0, float('nan'), float('inf')):
        objective, others = weighting(losses.detach().masked_fill(~annotated, value), annotated)
        assert torch.equal(objective, expected) and torch.equal(weights, others)


def test_a_batch_without_any_annotation_is_zero_and_has_a_gradient(weighting, batch):
    losses, annotated = batch
    objective, _ = weighting(losses, torch.zeros_like(annotated))
    assert objective == 0
    objective.backward()
    assert torch.equal(losses.grad, torch.zeros_like(losses))


def test_inputs_are_left_alone(weighting, batch):
    copies = [value.detach().clone() for value in batch]
    weighting(*batch)
    assert all(torch.equal(value, copy) for value, copy in zip(batch, copies, strict=True))


def test_evaluation_changes_no_state(weighting, batch):
    weighting.eval()
    before = {name: value.clone() for name, value in weighting.state_dict().items()}
    weighting(*batch)
    assert all(torch.equal(value, before[name]) for name, value in weighting.state_dict().items())
