"""Tests of the influence loss of backward compatible training."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mmfct.registry import MODELS


def build(checkpoint, num_classes: int = 3, **options):
    return MODELS.build(
        dict(
            type='mmfct.BackwardCompatibleLoss',
            checkpoint=str(checkpoint),
            num_classes=num_classes,
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
def test_is_the_cross_entropy_under_the_old_classes(checkpoint, old, weight):
    embedding, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 4])
    logits = embedding @ old['head.fc.weight'][:3].T + old['head.fc.bias'][:3]
    losses = build(checkpoint, loss_weight=weight)(embedding, labels)
    expected = weight * F.cross_entropy(logits[:5], labels[:5], reduction='none')
    torch.testing.assert_close(losses, torch.cat([expected, torch.zeros(1)]))


def test_another_key(tmp_path):
    torch.save({'fc.weight': torch.eye(4)}, tmp_path / 'old.pth')
    assert build(tmp_path / 'old.pth', key='fc.weight').weight.shape == (3, 4)


def test_other_labels_than_the_old_models(checkpoint, old):
    embedding, labels = torch.randn(4, 4), torch.tensor([3, 1, 0, 2])
    logits = embedding @ old['head.fc.weight'][:3].T + old['head.fc.bias'][:3]
    losses = build(checkpoint, old_labels=[2, 0, 0, -1])(embedding, labels)
    expected = F.cross_entropy(logits[1:], torch.tensor([0, 2, 0]), reduction='none')
    torch.testing.assert_close(losses, torch.cat([torch.zeros(1), expected]))


@pytest.mark.parametrize('old_labels', [[0, 3], [0, -2]])
def test_old_labels_that_the_old_model_does_not_have(checkpoint, old_labels):
    with pytest.raises(ValueError, match=f'`old_labels` must be from -1 to 2, got {min(old_labels)} to'):
        build(checkpoint, old_labels=old_labels)


def test_labels_outside_of_old_labels_contribute_nothing(checkpoint):
    embedding = torch.randn(4, 4)
    losses = build(checkpoint, old_labels=[2, -1, 1])(embedding, torch.tensor([-1, 1, 3, 2]))
    assert losses[:3].tolist() == [0, 0, 0] and losses[3] > 0
