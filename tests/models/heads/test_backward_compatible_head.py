"""Tests of the classification head of backward compatible training."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import DefaultScope
from torch.nn import functional as F

from mmfct.registry import MODELS


@pytest.fixture
def head(tmp_path):
    pytest.importorskip('mmpretrain')
    torch.save({'head.fc.weight': torch.randn(5, 4), 'head.fc.bias': torch.randn(5)}, tmp_path / 'old.pth')
    inner = dict(type='LinearClsHead', num_classes=6, in_channels=4)
    influence = dict(checkpoint=str(tmp_path / 'old.pth'), num_classes=3, loss_weight=0.5)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(dict(type='mmfct.BackwardCompatibleHead', head=inner, influence=influence))


@pytest.fixture
def samples():
    from mmpretrain.structures import DataSample

    return [DataSample().set_gt_label(label) for label in (0, 2, 5)]


def test_losses_are_those_of_both_classifiers(head, samples):
    feats, labels = (torch.randn(3, 4),), torch.tensor([0, 2, 5])
    losses = head.loss(feats, samples)
    assert losses.keys() == {'loss', 'loss_influence'}
    torch.testing.assert_close(losses['loss'], F.cross_entropy(head(feats), labels))
    old = F.cross_entropy(F.linear(feats[0], head.influence.weight, head.influence.bias)[:2], labels[:2])
    torch.testing.assert_close(losses['loss_influence'], 0.5 * old * 2 / 3)


def test_only_the_new_classifier_is_trained_and_predicts(head, samples):
    feats = (torch.randn(3, 4),)
    assert {name for name, _ in head.named_parameters()} == {'head.fc.weight', 'head.fc.bias'}
    predicted = head.predict(feats, samples)
    assert [int(sample.pred_label) for sample in predicted] == head(feats).argmax(1).tolist()


def test_mixed_images_are_refused(head, samples):
    from mmpretrain.models.utils.batch_augments import CutMix

    images, scores = CutMix(1.0)(torch.rand(3, 3, 8, 8), torch.eye(6)[[0, 2, 5]])
    for sample, score in zip(samples, scores, strict=True):
        sample.set_gt_score(score)
    with pytest.raises(ValueError, match='the influence loss needs images of one class each, got soft labels'):
        head.loss((torch.randn(3, 4),), samples)
