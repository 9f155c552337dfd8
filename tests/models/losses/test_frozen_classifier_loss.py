"""Tests of the cross-entropy under a classifier that is not trained."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mmfct.registry import MODELS


def build(checkpoint, **options):
    return MODELS.build(dict(type='mmfct.FrozenClassifierLoss', checkpoint=str(checkpoint), **options))


@pytest.fixture
def weights():
    """Weights of a classifier of five classes."""
    return {'head.fc.weight': torch.randn(5, 4), 'head.fc.bias': torch.randn(5), 'backbone.bn.weight': torch.ones(4)}


@pytest.fixture
def checkpoint(weights, tmp_path):
    path = tmp_path / 'new.pth'
    torch.save(dict(state_dict=weights), path)
    return path


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
@pytest.mark.parametrize('weight', [1.0, 0.3])
def test_is_the_cross_entropy_under_the_classifier(checkpoint, weights, weight, smoothing):
    embedding, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 4, 2])
    log_scores = torch.log_softmax(embedding @ weights['head.fc.weight'].T + weights['head.fc.bias'], 1)
    picked = log_scores.gather(1, labels[:, None])[:, 0]
    expected = -((1 - smoothing) * picked + smoothing * log_scores.mean(1))
    losses = build(checkpoint, loss_weight=weight, label_smoothing=smoothing)(embedding, labels)
    torch.testing.assert_close(losses, weight * expected)


def test_classes_it_was_not_trained_on_contribute_nothing(checkpoint):
    embedding = torch.randn(4, 4, requires_grad=True)
    loss = build(checkpoint, num_classes=3)
    losses = loss(embedding, torch.tensor([0, 3, 4, 2]))
    assert losses[[1, 2]].eq(0).all() and losses[[0, 3]].gt(0).all()
    losses.sum().backward()
    assert embedding.grad[[1, 2]].eq(0).all() and embedding.grad[[0, 3]].ne(0).any(dim=1).all()


def test_without_bias_and_with_a_convolution_as_classifier(weights, tmp_path):
    weight = weights['head.fc.weight']
    torch.save({'fc.weight': weight[:, :, None, None]}, tmp_path / 'reference.pth')
    embedding, labels = torch.randn(2, 4), torch.tensor([4, 0])
    losses = build(tmp_path / 'reference.pth', key='fc.weight')(embedding, labels)
    torch.testing.assert_close(losses, F.cross_entropy(embedding @ weight.T, labels, reduction='none'))


def test_the_classifier_stays_as_it_is(checkpoint, weights):
    loss = build(checkpoint)
    assert list(loss.parameters()) == [] and loss.state_dict() == {}
    loss(torch.randn(2, 4, requires_grad=True), torch.tensor([0, 1])).sum().backward()
    torch.testing.assert_close(loss.weight, weights['head.fc.weight'])
    assert not loss.weight.requires_grad


@pytest.mark.parametrize('key', ['head.fc.weigth', 'backbone.bn.weight'])
def test_wrong_key(checkpoint, key):
    with pytest.raises(ValueError, match=rf'`key` must name a weight \(C, D\) of checkpoint .*got {key!r}'):
        build(checkpoint, key=key)


@pytest.mark.parametrize('number', [0, 6])
def test_wrong_number_of_classes(checkpoint, number):
    with pytest.raises(ValueError, match=f'`num_classes` must be from 1 to 5, got {number}'):
        build(checkpoint, num_classes=number)


def test_embeddings_of_another_width(checkpoint):
    with pytest.raises(ValueError, match=r'takes embeddings of width 4, got \(2, 5\)'):
        build(checkpoint)(torch.zeros(2, 5), torch.tensor([0, 1]))


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='none.pth'):
        build(tmp_path / 'none.pth')
