"""Tests of the loss with a temperature per training instance."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmfct.registry import MODELS

NAMES = ['a.png', 'b.png', 'c.png', 'd.png']


def build(**loss) -> nn.Module:
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True) | loss
    return MODELS.build(dict(type='mmfct.DataParameterLoss', task='cls', loss=loss))


def closed_form(scores, label, log_sigma) -> torch.Tensor:
    """Derivative of the cross-entropy of scores (C,) divided by sigma in log sigma: (z_y - sum of p_c z_c) / sigma."""
    sigma = math.exp(log_sigma)
    return (scores[label] - ((scores / sigma).softmax(0) * scores).sum()) / sigma


@pytest.mark.parametrize('host', ['mmseg', 'mmpretrain'])
def test_classification(host):
    loss = MODELS.build(dict(type='mmfct.DataParameterLoss', task='cls', loss=dict(type=f'{host}.CrossEntropyLoss')))
    scores, labels, d = torch.randn(4, 3, requires_grad=True), torch.tensor([0, 2, 1, 1]), torch.randn(4, 1)
    loss.set_instances(d, NAMES)
    value = loss(scores, labels, avg_factor=4)
    own = F.cross_entropy(scores / d.exp(), labels, reduction='none')
    torch.testing.assert_close(value, own.mean())
    value.backward()
    torch.testing.assert_close(scores.grad, torch.autograd.grad(own.mean(), scores)[0])
    kept = loss.pop_report()
    for i in range(4):
        expected = closed_form(scores[i].detach(), labels[i], d[i].item())
        torch.testing.assert_close(kept.values[i, 0], expected, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(kept.losses[:, 0], own.detach())
    assert kept.annotated.all() and not kept.values.requires_grad


def test_maps_are_averaged_over_the_labelled_pixels():
    loss, d = build(), torch.randn(4, 1)
    scores, labels = torch.randn(4, 3, 5, 6), torch.randint(3, (4, 5, 6))
    labels[0, :2], labels[3] = 255, 255
    loss.set_instances(d, NAMES)
    value = loss(scores, labels, ignore_index=255)
    kept = loss.pop_report()
    means = []
    for i in range(3):
        pixels = [(y, x) for y in range(5) for x in range(6) if labels[i, y, x] != 255]
        expected = torch.stack([closed_form(scores[i, :, y, x], labels[i, y, x], d[i].item()) for y, x in pixels])
        torch.testing.assert_close(kept.values[i, 0], expected.mean(), rtol=1e-4, atol=1e-6)
        scaled = [F.cross_entropy(scores[i, :, y, x] / d[i].exp(), labels[i, y, x]) for y, x in pixels]
        means.append(torch.stack(scaled).mean())
    torch.testing.assert_close(value, torch.stack(means).mean())
    assert kept.annotated[:, 0].tolist() == [True, True, True, False] and kept.values[3] == 0


def test_temperatures_of_one_are_the_plain_loss():
    loss = build()
    scores, labels = torch.randn(4, 3), torch.randint(3, (4,))
    loss.set_instances(torch.zeros(4, 1), NAMES)
    torch.testing.assert_close(loss(scores, labels), F.cross_entropy(scores, labels))


def test_a_wrong_label_raises_its_temperature_and_a_right_one_lowers_it():
    loss = build()
    scores = torch.tensor([[3.0, 0.0, 0.0], [3.0, 0.0, 0.0]])
    loss.set_instances(torch.zeros(2, 1), NAMES[:2])
    loss(scores, torch.tensor([0, 1]))
    right, wrong = loss.pop_report().values[:, 0]
    assert right > 0 > wrong  # a step goes against the gradient


def test_without_gradients_and_in_half_precision():
    scores, labels, d = torch.randn(4, 3), torch.randint(3, (4,)), torch.randn(4, 1)
    kept = []
    for half in (False, True):
        loss = build()
        loss.set_instances(d, NAMES)
        with torch.no_grad():
            loss(scores.bfloat16() if half else scores.bfloat16().float(), labels)
        kept.append(loss.pop_report())
    assert all(torch.equal(a, b) for a, b in zip(*kept, strict=True))


def test_weights_are_the_reciprocal_temperatures():
    loss = build()
    torch.testing.assert_close(loss.weights(torch.tensor([[0.0], [math.log(4)]])), torch.tensor([[1.0], [0.25]]))
    assert loss.instance_tasks == ('cls',) and loss.scale_power == 1
    assert not loss.log_variance.requires_grad
    assert loss.loss_name == 'loss_ce'


def test_a_loss_that_is_not_finite_is_named():
    loss = build()
    scores = torch.randn(4, 3)
    scores[2, 0] = math.nan
    loss.set_instances(torch.zeros(4, 1), NAMES)
    with pytest.raises(ValueError, match="the loss of task 'cls' must be finite, got nan for c.png"):
        loss(scores, torch.zeros(4, dtype=torch.long))


def test_without_the_hook_it_says_what_to_add():
    with pytest.raises(ValueError, match='mmfct.InstanceTaskWeightHook'):
        build()(torch.randn(4, 3), torch.zeros(4, dtype=torch.long))


def test_values_of_the_wrapped_loss_choose_pixels():
    pytest.importorskip('mmseg')
    loss, scores, target = build(type='mmseg.CrossEntropyLoss'), torch.randn(2, 4, 3, 3), torch.randint(4, (2, 3, 3))
    values = loss(scores, target, reduction_override='none')
    torch.testing.assert_close(values, torch.nn.functional.cross_entropy(scores, target, reduction='none'))
    with pytest.raises(ValueError, match="`reduction_override` must be 'none' or None, got 'mean'"):
        loss(scores, target, reduction_override='mean')
