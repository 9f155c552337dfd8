"""Tests of the influence loss of backward compatible training."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mmfct.registry import MODELS


def build(checkpoint, num_old_classes: int = 3, **options):
    return MODELS.build(
        dict(
            type='mmfct.BackwardCompatibleLoss',
            checkpoint=str(checkpoint),
            num_old_classes=num_old_classes,
            **options,
        )
    )


@pytest.fixture
def old():
    """Weights of an old classifier of five classes, three of which it was trained on."""
    return {'head.fc.weight': torch.randn(5, 4), 'head.fc.bias': torch.randn(5), 'backbone.bn.weight': torch.ones(4)}


@pytest.fixture
def checkpoint(old, tmp_path):
    path = tmp_path / 'old.pth'
    torch.save(dict(state_dict=old), path)
    return path


@pytest.mark.parametrize('weight', [1.0, 0.3])
def test_is_the_cross_entropy_under_the_old_classifier(checkpoint, old, weight):
    embedding, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    logits = embedding @ old['head.fc.weight'][:3].T + old['head.fc.bias'][:3]
    losses = build(checkpoint, loss_weight=weight)(embedding, labels)
    torch.testing.assert_close(losses, weight * F.cross_entropy(logits, labels, reduction='none'))


def test_classes_the_old_model_does_not_know_contribute_nothing(checkpoint):
    embedding = torch.randn(4, 4, requires_grad=True)
    loss = build(checkpoint)
    losses = loss(embedding, torch.tensor([0, 3, 4, 2]))
    assert losses[[1, 2]].eq(0).all() and losses[[0, 3]].gt(0).all()
    losses.sum().backward()
    assert embedding.grad[[1, 2]].eq(0).all() and embedding.grad[[0, 3]].ne(0).any(dim=1).all()


def test_without_bias_and_with_a_convolution_as_classifier(old, tmp_path):
    weight = old['head.fc.weight']
    torch.save({'fc.weight': weight[:, :, None, None]}, tmp_path / 'reference.pth')
    embedding, labels = torch.randn(2, 4), torch.tensor([4, 0])
    losses = build(tmp_path / 'reference.pth', 5, key='fc.weight')(embedding, labels)
    torch.testing.assert_close(losses, F.cross_entropy(embedding @ weight.T, labels, reduction='none'))


def test_the_old_classifier_stays_as_it_is(checkpoint, old):
    loss = build(checkpoint)
    assert list(loss.parameters()) == [] and loss.state_dict() == {}
    loss(torch.randn(2, 4, requires_grad=True), torch.tensor([0, 1])).sum().backward()
    torch.testing.assert_close(loss.weight, old['head.fc.weight'][:3])
    assert not loss.weight.requires_grad


@pytest.mark.parametrize('key', ['head.fc.weigth', 'backbone.bn.weight'])
def test_wrong_key(checkpoint, key):
    with pytest.raises(ValueError, match=rf'`key` must name a weight \(C, D\) of checkpoint .*got {key!r}'):
        build(checkpoint, key=key)


@pytest.mark.parametrize('number', [0, 6])
def test_wrong_number_of_classes(checkpoint, number):
    with pytest.raises(ValueError, match=f'`num_old_classes` must be from 1 to 5, got {number}'):
        build(checkpoint, number)


def test_embeddings_of_another_width(checkpoint):
    with pytest.raises(ValueError, match=r'takes embeddings of width 4, got \(2, 5\)'):
        build(checkpoint)(torch.zeros(2, 5), torch.tensor([0, 1]))


def test_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match='old.pth'):
        build(tmp_path / 'old.pth')
