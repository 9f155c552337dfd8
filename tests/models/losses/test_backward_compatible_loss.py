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
