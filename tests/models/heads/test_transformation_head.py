"""Tests of the transformation h."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mmfct.functional.uncertainty import heteroscedastic_loss
from mmfct.models import EmbeddingRegressionLoss
from mmfct.registry import MODELS


def build(old: int = 6, side: int = 4, new: int = 5, **options) -> nn.Module:
    options = dict(hidden_dims=16) | options
    return MODELS.build(dict(type='mmfct.TransformationHead', old_dims=old, side_dims=side, new_dims=new, **options))


class ClassLoss(nn.Module):
    """A loss of embeddings and labels that is easy to compute by hand."""

    def forward(self, embedding, labels):
        return embedding[:, 0] + labels


class Block(nn.Module):
    """1x1 convolution, BN and ReLU, as in the reference."""

    def __init__(self, fan_in: int, fan_out: int):
        super().__init__()
        self.conv = nn.Conv2d(fan_in, fan_out, 1, bias=False)
        self.normalizer = nn.BatchNorm2d(fan_out)

    def forward(self, maps):
        return torch.relu(self.normalizer(self.conv(maps)))


class Reference(nn.Module):
    """The transformation as the paper's code writes it: 1x1 convolutions on 1x1 maps."""

    def __init__(self, old: int, side: int, new: int, hidden: int):
        super().__init__()
        self.p1 = nn.Sequential(Block(old, 2 * old), Block(2 * old, 2 * new))
        self.p2 = nn.Sequential(Block(side, 2 * side), Block(2 * side, 2 * new))
        self.mixer = nn.Sequential(Block(4 * new, hidden), Block(hidden, hidden), nn.Conv2d(hidden, new, 1))

    def forward(self, old, side):
        maps = torch.cat([self.p1(old[:, :, None, None]), self.p2(side[:, :, None, None])], dim=1)
        return self.mixer(maps).flatten(1)


def reference_of(head: nn.Module) -> Reference:
    """Build the reference with the weights of ``head``, which both list in the same order."""
    reference = Reference(head.old_dims, head.side_dims, head.new_dims, head.mixer[0].out_features)
    ours, theirs = head.state_dict(), reference.state_dict()
    assert len(ours) == len(theirs)
    weights = {name: value.reshape(theirs[name].shape) for name, value in zip(theirs, ours.values(), strict=True)}
    reference.load_state_dict(weights)
    return reference


def test_number_of_parameters_is_that_of_the_paper():
    head = build(128, 128, 128, hidden_dims=2048)
    assert sum(parameter.numel() for parameter in head.parameters()) == 5_712_000


@pytest.mark.parametrize('training', [True, False])
def test_equals_the_reference(training):
    head = build(128, 64, 96, hidden_dims=256)
    for module in head.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    reference = reference_of(head).train(training)
    head.train(training)
    old, side = torch.randn(8, 128), torch.randn(8, 64)
    torch.testing.assert_close(head(old, side), reference(old, side), rtol=1e-5, atol=1e-5)
    for name in ('running_mean', 'running_var'):
        torch.testing.assert_close(getattr(head.mixer[1], name), getattr(reference.mixer[0].normalizer, name))


def test_a_training_step_equals_that_of_the_reference():
    head = build()
    reference = reference_of(head)
    old, side, new = torch.randn(8, 6), torch.randn(8, 4), torch.randn(8, 5)
    loss = head.loss(old, side, new)['loss']
    expected = nn.MSELoss()(reference(old, side), new)  # the mean over batch and dimensions
    torch.testing.assert_close(loss, expected)
    for model, value in ((head, loss), (reference, expected)):
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, weight_decay=2**-15)
        value.backward()
        optimizer.step()
    torch.testing.assert_close(head(old, side), reference(old, side), rtol=1e-4, atol=1e-4)


def test_inputs_are_left_alone():
    head = build()
    tensors = [torch.randn(3, width) for width in (6, 4, 5)]
    before = copy.deepcopy(tensors)
    head.loss(*tensors)
    assert all(torch.equal(tensor, copied) for tensor, copied in zip(tensors, before, strict=True))


def test_the_last_layer_has_a_bias_and_no_activation():
    head = build()
    assert isinstance(head.mixer[-1], nn.Linear) and head.mixer[-1].bias is not None
    assert head(torch.randn(64, 6), torch.randn(64, 4)).min() < 0


def test_uncertainty_weights_the_loss():
    head = build(with_uncertainty=True).eval()
    old, side, new = torch.randn(3, 6), torch.randn(3, 4), torch.randn(3, 5)
    upgraded = head(old, side)
    log_variance = head.log_variance(upgraded)
    assert log_variance.shape == (3,)
    torch.testing.assert_close(log_variance, upgraded @ head.uncertainty.weight[0] + head.uncertainty.bias)
    losses = (upgraded - new).square().mean(1)
    expected = heteroscedastic_loss(losses, log_variance).mean()
    torch.testing.assert_close(head.loss(old, side, new)['loss'], expected)


def test_uncertainty_learns_which_items_are_transformed_badly():
    # Half the targets are noise that no transformation can predict.
    head = build(4, 4, 4, with_uncertainty=True)
    old = torch.randn(256, 4)
    noisy = old[:, 0] > 0
    new = torch.where(noisy[:, None], 4 * torch.randn(256, 4), old.clone())
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        head.loss(old, old, new)['loss'].backward()
        optimizer.step()
    log_variance = head.eval().log_variance(head(old, old))
    assert log_variance[noisy].mean() > log_variance[~noisy].mean() + 0.5


def test_uncertainty_is_off_by_default():
    with pytest.raises(ValueError, match='`with_uncertainty` must be True for a log-variance, got False'):
        build().log_variance(torch.zeros(1, 5))


@pytest.mark.parametrize('loss', [dict(type='mmfct.EmbeddingRegressionLoss', distance='l1'), None])
def test_loss_by_config_or_module(loss):
    head = build(loss=loss or EmbeddingRegressionLoss('l1')).eval()
    old, side, new = torch.randn(3, 6), torch.randn(3, 4), torch.randn(3, 5)
    torch.testing.assert_close(head.loss(old, side, new)['loss'], nn.L1Loss()(head(old, side), new))


def test_a_loss_of_the_class_is_added_before_the_uncertainty_weights_both():
    head = build(class_loss=ClassLoss(), with_uncertainty=True).eval()
    old, side, new, labels = torch.randn(3, 6), torch.randn(3, 4), torch.randn(3, 5), torch.arange(3)
    upgraded = head(old, side)
    losses = (upgraded - new).square().mean(1) + upgraded[:, 0] + labels
    expected = heteroscedastic_loss(losses, head.log_variance(upgraded)).mean()
    torch.testing.assert_close(head.loss(old, side, new, labels)['loss'], expected)


def test_a_loss_of_the_class_by_config(tmp_path):
    torch.save({'head.fc.weight': torch.randn(7, 5)}, tmp_path / 'new.pth')
    head = build(class_loss=dict(type='mmfct.FrozenClassifierLoss', checkpoint=str(tmp_path / 'new.pth')))
    assert head.class_loss_module.weight.shape == (7, 5)
    assert not [name for name in head.state_dict() if 'class_loss' in name]


def test_a_loss_of_the_class_without_labels():
    with pytest.raises(ValueError, match='`class_loss` needs the label of every image, got None'):
        build(class_loss=ClassLoss()).loss(torch.randn(3, 6), torch.randn(3, 4), torch.randn(3, 5))


@pytest.mark.parametrize(
    ('shapes', 'message'),
    [
        (((2, 7), (2, 4), (2, 5)), r'old embedding.* \(B, 6\) as `old_dims=6` of the head says, got \(2, 7\)'),
        (((2, 6), (2, 6), (2, 5)), r'side embedding.* \(B, 4\) as `side_dims=4` of the head says, got \(2, 6\)'),
        (((2, 6), (2, 4), (2, 1)), r'new embedding.* \(B, 5\) as `new_dims=5` of the head says, got \(2, 1\)'),
        (((2, 6, 1, 1), (2, 4), (2, 5)), r'the old embedding must have shape \(B, 6\).*got \(2, 6, 1, 1\)'),
    ],
)
def test_wrong_widths(shapes, message):
    with pytest.raises(ValueError, match=message):
        build().loss(*(torch.zeros(shape) for shape in shapes))


def test_a_last_batch_of_one_learns_from_running_statistics():
    head = build()
    for _ in range(20):
        head.loss(torch.randn(16, 6), torch.randn(16, 4), torch.randn(16, 5))
    old, side, new = torch.randn(1, 6), torch.randn(1, 4), torch.randn(1, 5)
    statistics = {name: value.clone() for name, value in head.named_buffers()}
    loss = head.loss(old, side, new)['loss']
    loss.backward()
    assert head.training and all(module.training for module in head.modules())
    assert all(torch.equal(value, statistics[name]) for name, value in head.named_buffers())
    assert head.mixer[0].weight.grad.abs().sum() > 0
    torch.testing.assert_close(loss, (head.eval()(old, side) - new).square().mean())
