"""Tests of semantic segmentation as one of several tasks."""

from __future__ import annotations

import pytest
import torch
from mmengine.structures import PixelData
from torch import nn
from torch.nn import functional as F

from mmfct.registry import MODELS


@pytest.fixture
def task() -> nn.Module:
    head = dict(
        type='mmseg.FCNHead',
        in_channels=4,
        channels=4,
        num_convs=0,
        concat_input=False,
        num_classes=3,
        dropout_ratio=0,
        loss_decode=dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True, loss_weight=2.0),
    )
    return MODELS.build(dict(type='mmfct.SegmentationTask', head=head))


@pytest.fixture
def samples() -> tuple[list, torch.Tensor]:
    """Four data samples with labels (4, 5, 6): some pixels ignored, all of the third, and the last without any."""
    from mmseg.structures import SegDataSample

    labels = torch.randint(3, (4, 5, 6))
    labels[0, 2:] = 255
    labels[2] = 255
    made = [SegDataSample() for _ in labels]
    for sample, label in zip(made[:3], labels, strict=False):
        sample.gt_sem_seg = PixelData(data=label[None])
    return made, labels


def test_losses_are_those_of_the_head_per_instance(task, samples):
    scores = torch.randn(4, 3, 5, 6, requires_grad=True)
    losses, annotated = task.compare(scores, task.targets(scores, samples[0]))
    assert task.form == 'classification'
    assert annotated.tolist() == [True, True, False, False]
    for i in range(2):
        expected = 2 * F.cross_entropy(scores[i : i + 1], samples[1][i : i + 1], ignore_index=255)
        torch.testing.assert_close(losses[i], expected)
    assert losses[2:].tolist() == [0, 0]
    losses.sum().backward()
    assert (scores.grad[2:] == 0).all() and (scores.grad[0, :, 2:] == 0).all()


def test_labels_are_compared_with_the_predictions_of_other_images(task, samples):
    scores = torch.randn(4, 3, 5, 6)
    targets = task.targets(scores, samples[0])
    assert targets.shape == (4, 5, 6) and torch.equal(targets[:3], samples[1][:3]) and targets[3].eq(255).all()
    losses, annotated = task.compare(scores.roll(1, 0), targets)
    assert annotated.tolist() == [True, True, False, False]
    torch.testing.assert_close(losses[1], 2 * F.cross_entropy(scores[:1], samples[1][1:2]))
    few, _ = task.compare(scores[:1, :, ::2], targets[1:2, ::2])  # as maps are thinned out
    torch.testing.assert_close(few[0], 2 * F.cross_entropy(scores[:1, :, ::2], samples[1][1:2, ::2]))


def test_head_and_prediction(task, samples):
    scores = task((torch.randn(2, 4, 5, 6),))
    assert scores.shape == (2, 3, 5, 6)
    sample = samples[0][0]
    task.add_prediction(scores[0], sample)
    assert sample.pred_sem_seg.data.shape == (1, 5, 6) and sample.pred_sem_seg.data.dtype == torch.int64
    assert torch.equal(sample.pred_sem_seg.data[0], scores[0].argmax(0))


def test_several_losses_are_refused():
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    head = dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_classes=3, loss_decode=[loss, loss])
    with pytest.raises(ValueError, match='`head` must have a single `loss_decode`, got 2 of them'):
        MODELS.build(dict(type='mmfct.SegmentationTask', head=head))


def test_two_classes_in_one_map_have_the_threshold_of_the_head():
    head = dict(
        type='mmseg.FCNHead',
        in_channels=4,
        channels=4,
        num_classes=2,
        out_channels=1,
        threshold=0.7,
        loss_decode=dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True, avg_non_ignore=True),
    )
    task, sample = MODELS.build(dict(type='mmfct.SegmentationTask', head=head)), PixelSample()
    scores = torch.tensor([[[-8.0, 0.5, 1.0, 8.0]]])  # sigmoids 0.00, 0.62, 0.73, 1.00
    task.add_prediction(scores, sample)
    assert sample.pred_sem_seg.data.tolist() == [[[0, 0, 1, 1]]]


class PixelSample:
    """A data sample as far as predictions are concerned."""

    def set_data(self, data):
        self.__dict__.update(data)


def test_a_sampler_of_pixels_is_refused():
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    head = dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_classes=3, loss_decode=loss)
    with pytest.raises(ValueError, match='`head` must have no `sampler`, .*, got OHEMPixelSampler'):
        MODELS.build(dict(type='mmfct.SegmentationTask', head=dict(head, sampler=dict(type='mmseg.OHEMPixelSampler'))))


def test_a_head_of_several_outputs_is_refused(task, monkeypatch):
    monkeypatch.setattr(task.head, 'forward', lambda features: (features[0], features[0]))
    with pytest.raises(
        ValueError, match='`head` must be one that returns one map of scores, got a tuple from FCNHead'
    ):
        task((torch.randn(2, 4, 5, 6),))


def test_scores_are_merged_as_probabilities(task):
    scores = [torch.randn(3, 5, 6) for _ in range(4)]
    expected = sum(values.softmax(dim=0) for values in scores) / 4
    torch.testing.assert_close(task.merge(scores).softmax(dim=0), expected)
    binary = [torch.randn(1, 5, 6) for _ in range(4)]
    expected = sum(values.sigmoid() for values in binary) / 4
    torch.testing.assert_close(task.merge(binary).sigmoid(), expected)


@pytest.mark.parametrize('several', [False, True])
def test_auxiliary_heads_are_tasks_of_the_same_labels(several, samples):
    loss = dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True)
    head = dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_convs=0, concat_input=False, num_classes=3)
    auxiliary = head | dict(loss_decode=loss | dict(loss_weight=0.4))
    config = dict(type='mmfct.SegmentationTask', head=head | dict(loss_decode=loss))
    task = MODELS.build(config | dict(auxiliary_head=[auxiliary] * 2 if several else auxiliary))
    assert len(task.auxiliary) == 1 + several and len(MODELS.build(config).auxiliary) == 0
    scores = torch.randn(4, 3, 5, 6)
    plain = task.compare(scores, task.targets(scores, samples[0]))[0]
    for extra in task.auxiliary:
        torch.testing.assert_close(extra.compare(scores, extra.targets(scores, samples[0]))[0], 0.4 * plain)
    nn.init.constant_(task.auxiliary[0].head.conv_seg.weight, 7.0)
    task.init_weights()
    assert task.auxiliary[0].head.conv_seg.weight.std() < 0.05


def test_an_auxiliary_head_of_other_classes_is_refused():
    head = dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_convs=0, num_classes=3)
    with pytest.raises(ValueError, match=r'`auxiliary_head` must have the 3 classes of `head`, got \[3, 5\]'):
        MODELS.build(dict(type='mmfct.SegmentationTask', head=head, auxiliary_head=[head, head | dict(num_classes=5)]))
