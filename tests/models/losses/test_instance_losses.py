"""Tests of the hosts' losses per instance."""

from __future__ import annotations

import pytest
import torch
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional as F

from mmfct.models.losses.instance_losses import instance_losses

IGNORE = 255
CLASS_WEIGHT = [0.5, 1.0, 2.0]


def mmseg_loss(**options) -> nn.Module:
    return MODELS.build(dict(type='mmseg.CrossEntropyLoss', avg_non_ignore=True, **options))


def mmpretrain_loss(kind: str = 'CrossEntropyLoss', **options) -> nn.Module:
    return MODELS.build(dict(type=f'mmpretrain.{kind}', **options))


@pytest.fixture
def maps() -> tuple[torch.Tensor, torch.Tensor]:
    """Scores (4, 3, 5, 6) and labels (4, 5, 6), some of them ignored, all of the last."""
    labels = torch.randint(3, (4, 5, 6))
    labels[torch.rand(labels.shape) < 0.3] = IGNORE
    labels[3] = IGNORE
    return torch.randn(4, 3, 5, 6), labels


def loop(scores, labels, class_weight=None) -> torch.Tensor:
    """Weighted mean over the labelled pixels of each instance, one pixel after the other."""
    means = []
    for score, label in zip(scores, labels, strict=True):
        terms, weights = [], []
        for y in range(label.shape[0]):
            for x in range(label.shape[1]):
                target = int(label[y, x])
                if target != IGNORE:
                    term = torch.logsumexp(score[:, y, x], 0) - score[target, y, x]
                    weights.append(1.0 if class_weight is None else class_weight[target])
                    terms.append(term * weights[-1])
        means.append(torch.stack(terms).sum() / sum(weights) if terms else torch.tensor(0.0))
    return torch.stack(means)


@pytest.mark.parametrize('class_weight', [None, CLASS_WEIGHT])
def test_cross_entropy_of_maps(maps, class_weight):
    losses, annotated = instance_losses(mmseg_loss(class_weight=class_weight), *maps, ignore_index=IGNORE)
    torch.testing.assert_close(losses, loop(*maps, class_weight))
    assert annotated.tolist() == [True, True, True, False]


def test_class_weights_keep_the_scale_of_the_host(maps):
    scores, labels = maps[0].requires_grad_(), maps[1] % 3
    loss = MODELS.build(dict(type='mmseg.CrossEntropyLoss', class_weight=[0.0, 2.0, 10.0]))  # CGNet has some around 6
    losses, _ = instance_losses(loss, scores[:1], labels[:1], ignore_index=IGNORE)
    torch.testing.assert_close(losses[0], loss(scores[:1], labels[:1], ignore_index=IGNORE))
    labels[1], labels[3] = 0, 1  # the first is a class that does not count
    losses, annotated = instance_losses(loss, scores, labels, ignore_index=IGNORE)
    losses.sum().backward()
    assert annotated.tolist() == [True, False, True, True] and losses[1] == 0 and scores.grad.isfinite().all()


def test_the_mean_of_fully_labelled_maps_is_that_of_the_host(maps):
    scores, labels = maps[0], maps[1] % 3
    loss = mmseg_loss(loss_weight=0.4)
    losses, annotated = instance_losses(loss, scores, labels, ignore_index=IGNORE)
    torch.testing.assert_close(losses.mean(), loss(scores, labels, ignore_index=IGNORE))
    assert annotated.all()


def test_weights_of_pixels_are_passed_on(maps):
    scores, labels = maps[0], maps[1] % 3
    weight = torch.rand(labels.shape)
    losses, _ = instance_losses(mmseg_loss(), scores, labels, weight, IGNORE)
    expected = (F.cross_entropy(scores, labels, reduction='none') * weight).flatten(1).mean(1)
    torch.testing.assert_close(losses, expected)


def test_sigmoids_have_a_value_per_class(maps):
    scores, labels = maps
    losses, annotated = instance_losses(mmseg_loss(use_sigmoid=True), scores, labels, ignore_index=IGNORE)
    assert annotated.tolist() == [True, True, True, False]
    valid = labels != IGNORE
    targets = F.one_hot(labels * valid, 3).movedim(-1, 1).float()
    values = F.binary_cross_entropy_with_logits(scores, targets, reduction='none').mean(1)
    for i in range(3):
        torch.testing.assert_close(losses[i], values[i][valid[i]].mean())


@pytest.mark.parametrize(
    ('loss', 'reference'),
    [
        (dict(), F.cross_entropy),
        (dict(loss_weight=3.0), lambda *args, **options: 3 * F.cross_entropy(*args, **options)),
        (
            dict(class_weight=CLASS_WEIGHT),
            lambda *args, **options: F.cross_entropy(*args, weight=torch.tensor(CLASS_WEIGHT), **options),
        ),
        (
            dict(kind='LabelSmoothLoss', label_smooth_val=0.2, num_classes=3, mode='original'),
            lambda *args, **options: F.cross_entropy(*args, label_smoothing=0.2, **options),
        ),
    ],
)
def test_losses_of_classification(loss, reference):
    scores, labels = torch.randn(6, 3), torch.randint(3, (6,))
    module = mmpretrain_loss(**loss)
    losses, annotated = instance_losses(module, scores, labels)
    torch.testing.assert_close(losses, reference(scores, labels, reduction='none'))
    torch.testing.assert_close(losses.mean(), module(scores, labels))
    assert annotated.all() and annotated.shape == (6,)


def test_images_without_a_label_do_not_count():
    scores, labels = torch.randn(4, 3), torch.tensor([0, -100, 2, -100])
    losses, annotated = instance_losses(mmpretrain_loss(), scores, labels)
    assert annotated.tolist() == [True, False, True, False]
    torch.testing.assert_close(losses[::2], F.cross_entropy(scores[::2], labels[::2], reduction='none'))


def test_soft_labels():
    scores, labels = torch.randn(6, 3), torch.rand(6, 3).softmax(1)
    losses, _ = instance_losses(mmpretrain_loss(use_soft=True), scores, labels, ignore_index=None)
    torch.testing.assert_close(losses, -(labels * scores.log_softmax(1)).sum(1))


def test_several_labels_per_instance():
    scores, labels = torch.randn(6, 3), torch.randint(2, (6, 3))
    losses, _ = instance_losses(mmpretrain_loss(use_sigmoid=True), scores, labels)
    expected = F.binary_cross_entropy_with_logits(scores, labels.float(), reduction='none').mean(1)
    torch.testing.assert_close(losses, expected)


def seesaw() -> nn.Module:
    return mmpretrain_loss('SeesawLoss', num_classes=3, p=0.8, q=2.0)


def test_a_loss_that_counts_is_called_as_often_as_by_a_head():
    scores, labels = torch.randn(6, 3), torch.tensor([0, 0, 0, 1, 1, 2])
    plain, module = seesaw(), seesaw()
    for _ in range(2):  # the second depends on what the first has counted
        losses, _ = instance_losses(module, scores, labels)
        torch.testing.assert_close(losses.mean(), plain(scores, labels))
    assert module.cum_samples.tolist() == [6, 4, 2]


@pytest.mark.parametrize('kept', ['evaluation mode', 'no gradient', 'asked for'])
def test_a_loss_counts_only_where_it_trains(kept):
    scores, labels, module = torch.randn(6, 3), torch.randint(3, (6,)), seesaw()
    plain = seesaw()(scores, labels)
    with torch.set_grad_enabled(kept != 'no gradient'):
        module.train(kept != 'evaluation mode')
        losses, _ = instance_losses(module, scores, labels, keep_buffers=kept == 'asked for')
    torch.testing.assert_close(losses.mean(), plain)  # of a loss that has counted nothing before
    assert module.cum_samples.tolist() == [0, 0, 0]


def test_the_sum_over_classes():
    scores, labels = torch.randn(6, 3), torch.randint(2, (6, 3))
    module = mmpretrain_loss(use_sigmoid=True)
    losses, annotated = instance_losses(module, scores, labels, summed=True)
    torch.testing.assert_close(losses.mean(), module(scores, labels, avg_factor=6))  # as heads call it
    assert annotated.tolist() == [True] * 6
    single = instance_losses(mmpretrain_loss(), scores, labels[:, 0], summed=True)[0]
    torch.testing.assert_close(single, instance_losses(mmpretrain_loss(), scores, labels[:, 0])[0])


class Reduced(nn.Module):
    """A loss that does not know how to leave values unreduced."""

    def __init__(self, shape: tuple[int, ...]):
        super().__init__()
        self.shape = shape

    def forward(self, prediction, target, weight=None, reduction_override=None):
        return prediction.new_zeros(self.shape)


@pytest.mark.parametrize('shape', [(), (1,), (5, 6)])
def test_a_loss_without_a_value_per_instance_is_refused(maps, shape):
    message = (
        rf'`loss` must return one value per instance .*, got shape \({", ".join(map(str, shape))},?\) from Reduced'
    )
    with pytest.raises(ValueError, match=message + ' for 4 instances'):
        instance_losses(Reduced(shape), *maps)


def test_a_loss_of_a_whole_batch_is_refused_with_what_to_do(maps):
    loss = MODELS.build(dict(type='mmseg.TverskyLoss'))
    with pytest.raises(ValueError, match='got shape .* from TverskyLoss for 4 instances; one that judges a batch as'):
        instance_losses(loss, *maps, ignore_index=IGNORE)


def test_a_value_per_map_counts_where_any_pixel_is_labelled(maps):
    loss = MODELS.build(dict(type='mmseg.DiceLoss', use_sigmoid=False, activate=True))
    scores, labels = maps
    losses, annotated = instance_losses(loss, scores, labels, ignore_index=IGNORE)
    assert annotated.tolist() == [True, True, True, False]
    assert (losses[:3] > 0).all() and losses[3] == 0


class OtherSignature(nn.Module):
    """A loss that takes neither weights nor a reduction."""

    def forward(self, prediction, target):
        return prediction


def test_a_loss_of_another_signature_is_refused(maps):
    message = '`loss` must be one that takes weight, reduction_override, ignore_index, got OtherSignature: .*argument'
    with pytest.raises(ValueError, match=message):
        instance_losses(OtherSignature(), *maps, ignore_index=IGNORE)
