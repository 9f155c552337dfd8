"""Tests of the wide residual network."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mmfct.registry import MODELS


def build(depth: int = 10, widen_factor: int = 1, **options) -> nn.Module:
    return MODELS.build(dict(type='mmfct.WideResNet', depth=depth, widen_factor=widen_factor, **options))


# Millions of parameters, table 4 of the paper.
@pytest.mark.parametrize(
    ('depth', 'widen_factor', 'millions'),
    [(40, 1, 0.6), (40, 2, 2.2), (40, 4, 8.9), (16, 8, 11.0), (22, 8, 17.2), (28, 10, 36.5), (28, 12, 52.5)],
)
def test_size_is_the_published_one(depth, widen_factor, millions):
    with torch.device('meta'):
        model = nn.ModuleList([build(depth, widen_factor), nn.Linear(64 * widen_factor, 10)])
    count = sum(parameter.numel() for parameter in model.parameters())
    assert round(count / 1e6, 1) == millions
    assert depth != 28 or widen_factor != 10 or count == 36_479_194  # with ten classes


def test_as_many_convolutions_as_the_name_says():
    assert sum(isinstance(module, nn.Conv2d) for module in build(28, 2).modules()) == 28


@pytest.mark.parametrize(('height', 'width'), [(32, 32), (28, 16), (9, 7)])
def test_one_map_at_a_quarter_of_the_resolution(height, width):
    maps = build(16, 2)(torch.randn(3, 3, height, width))
    assert isinstance(maps, tuple) and len(maps) == 1
    assert maps[0].shape == (3, 128, -(-height // 4), -(-width // 4))


def reference(state: dict[str, Tensor], images: Tensor, depth: int) -> Tensor:
    """The network of the paper in evaluation mode, written out."""

    def active(maps: Tensor, name: str) -> Tensor:
        mean, variance, weight, bias = (
            state[f'{name}.{key}'][:, None, None] for key in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return ((maps - mean) / (variance + 1e-5).sqrt() * weight + bias).clamp(min=0)

    maps = F.conv2d(images, state['stem.weight'], padding=1)
    per_stage = (depth - 4) // 6
    for number in range(3 * per_stage):
        first, name = number % per_stage == 0, f'blocks.{number}'
        stride = 2 if first and number else 1
        before = active(maps, f'{name}.norm1')
        inside = F.conv2d(before, state[f'{name}.conv1.weight'], stride=stride, padding=1)
        inside = F.conv2d(active(inside, f'{name}.norm2'), state[f'{name}.conv2.weight'], padding=1)
        has_shortcut = before.shape[1] != inside.shape[1]
        assert has_shortcut == (f'{name}.shortcut.weight' in state)
        maps = inside + (F.conv2d(before, state[f'{name}.shortcut.weight'], stride=stride) if has_shortcut else maps)
    return active(maps, 'norm')


@pytest.mark.parametrize(('depth', 'widen_factor'), [(10, 2), (16, 3)])
def test_output_is_that_of_the_written_out_network(depth, widen_factor):
    model = build(depth, widen_factor).double().eval()
    for value in model.state_dict().values():
        if value.dim() == 1:
            nn.init.uniform_(value, 0.5, 1.5)  # BN that is not the identity
    images = torch.randn(2, 3, 12, 8, dtype=torch.double)
    torch.testing.assert_close(model(images)[0], reference(model.state_dict(), images, depth))


def test_with_one_width_the_first_stage_needs_no_shortcut():
    names = [name for name, _ in build(16, 1).named_parameters() if 'shortcut' in name]
    assert names == ['blocks.2.shortcut.weight', 'blocks.4.shortcut.weight']


def test_dropout_acts_in_training_only():
    model, images = build(dropout=0.5), torch.randn(2, 3, 8, 8)
    assert not torch.equal(model(images)[0], model(images)[0])
    model.eval()
    assert torch.equal(model(images)[0], model(images)[0])


def test_weights_are_those_of_kaiming_by_fan_out():
    model = build(10, 4)
    model.init_weights()
    weight = model.blocks[2].conv1.weight  # 128 -> 256 channels
    assert weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert model.norm.weight.eq(1).all()


def test_a_classifier_of_the_host_learns():
    head = dict(
        type='mmpretrain.LinearClsHead',
        num_classes=3,
        in_channels=64,
        loss=dict(type='mmpretrain.CrossEntropyLoss'),
    )
    model = MODELS.build(
        dict(
            type='mmpretrain.ImageClassifier',
            backbone=dict(type='mmfct.WideResNet', depth=10, widen_factor=1, in_channels=1),
            neck=dict(type='mmpretrain.GlobalAveragePooling'),
            head=head,
        )
    )
    from mmpretrain.structures import DataSample

    samples = [DataSample().set_gt_label(label) for label in (0, 1, 2)]
    images, optimizer = torch.randn(3, 1, 16, 16), torch.optim.SGD(model.parameters(), lr=0.1)
    losses = []
    for _ in range(5):
        loss = model.loss(images, samples)['loss']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(depth=27), r'`depth` must be 6 n \+ 4 with n blocks in each stage, such as 28, got 27'),
        (dict(depth=4), r'`depth` must be 6 n \+ 4 .*, got 4'),
        (dict(widen_factor=0), '`widen_factor` must be at least 1, got 0'),
        (dict(dropout=1.0), r'`dropout` must be at least 0 and below 1, got 1.0'),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)
