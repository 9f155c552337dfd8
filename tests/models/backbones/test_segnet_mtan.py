"""Tests of the SegNet with multi-task attention."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mmfct.registry import MODELS

NARROW = (4, 6, 8, 10, 10)


def build(num_tasks: int = 2, filters: tuple[int, ...] = NARROW, **options) -> nn.Module:
    return MODELS.build(dict(type='mmfct.SegNetMTAN', num_tasks=num_tasks, filters=filters, **options))


def set_masks(model: nn.Module, value: float, task: int) -> None:
    """Make all masks of a task constant: the last BN gives the same logit everywhere."""
    for module in model.attention[task].modules():
        if isinstance(module, nn.Sequential):
            nn.init.zeros_(module[-2].weight)
            nn.init.constant_(module[-2].bias, value)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize('num_tasks', [1, 2, 3])
@pytest.mark.parametrize('size', [(32, 64), (37, 50)])
def test_one_map_of_full_size_per_task(num_tasks, size):
    maps = build(num_tasks)(torch.randn(2, 3, *size))
    assert isinstance(maps, tuple) and [tuple(each.shape) for each in maps] == [(2, 4, *size)] * num_tasks


def test_size_is_the_published_one():
    model = build(filters=(64, 128, 256, 512, 512))

    def head(outputs: int) -> int:
        return 64 * 64 * 9 + 64 + 64 * outputs + outputs

    # The public code of MTAN counts 24,981,069 in its single-task SegNet of 13 classes. For the two tasks of
    # CityScapes the network has 1.65 times as many, for the three of NYUv2 1.77 times.
    single = count(model.encoder) + count(model.decoder) + head(13)
    assert single == 24_981_069
    assert count(model) + head(7) + head(1) == 41_206_984
    assert (count(model) + head(7) + head(1)) / single == pytest.approx(1.65, abs=0.005)
    three_tasks = count(model) + count(model.attention[0]) + head(13) + head(1) + head(3)
    assert three_tasks / single == pytest.approx(1.77, abs=0.005)


def test_gradients_reach_what_a_task_uses_and_nothing_else():
    model = build()
    model(torch.randn(2, 3, 32, 64))[1].square().sum().backward()
    for name, parameter in model.named_parameters():
        if name.startswith('attention.0.'):
            assert parameter.grad is None, name
        elif parameter.ndim > 1:  # what is added before BN has a gradient of 0
            assert parameter.grad.abs().sum() > 0, name
        else:
            assert parameter.grad is not None, name


def shared_output(model: nn.Module, images: Tensor) -> Tensor:
    """Output of the SegNet alone, in torch's own modules and order."""
    pool, unpool = nn.MaxPool2d(2, 2, return_indices=True), nn.MaxUnpool2d(2, 2)
    stack = []
    for stage in model.encoder:
        images, indices = pool(stage.others(stage.first(images)))
        stack.append(indices)
    for stage in model.decoder:
        images = unpool(images, stack.pop())
        images = stage.others(stage.first(images))
    return images


def test_open_masks_leave_the_shared_network_and_closed_ones_nothing():
    model = build()
    set_masks(model, 100.0, task=0)
    set_masks(model, -200.0, task=1)
    images = torch.randn(2, 3, 64, 32)
    model.eval()
    opened, closed = model(images)
    torch.testing.assert_close(opened, shared_output(model, images))
    assert opened.std() > 0 and torch.equal(closed, torch.zeros_like(closed))


def test_masks_of_one_task_do_not_touch_another():
    model, images = build(), torch.randn(2, 3, 32, 32)
    before = model(images)
    for parameter in model.attention[0].parameters():
        nn.init.normal_(parameter)
    after = model(images)
    assert torch.equal(before[1], after[1]) and not torch.equal(before[0], after[0])


def test_masks_depend_on_the_mask_before():
    model, images = build().double(), torch.randn(2, 3, 64, 64, dtype=torch.double)
    first, *others = (*model.attention[0].encoder, *model.attention[0].decoder)

    def output_changes() -> bool:
        with torch.no_grad():
            before = model(images)[0]
            first.layers[0].weight.add_(1.0)
            return not torch.equal(model(images)[0], before)

    assert output_changes()
    for mask in others:
        shared = mask.layers[0].in_channels - len(mask.layers[0].weight)
        nn.init.zeros_(mask.layers[0].weight[:, shared:])  # the task's own maps come after the shared ones
    assert not output_changes()


def test_weights_are_those_of_xavier():
    model = build(filters=(16, 32))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(7.0)
    model.init_weights()
    weight = model.decoder[0].first[0].weight
    assert weight.std().item() == pytest.approx((2 / (9 * (32 + 16))) ** 0.5, rel=0.05)
    assert model.decoder[0].first[0].bias.eq(0).all() and model.decoder[0].first[1].weight.eq(1).all()


def test_any_number_of_resolutions_and_channels():
    assert build(1, (5, 3, 7), in_channels=1)(torch.randn(2, 1, 9, 8))[0].shape == (2, 5, 9, 8)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_tasks=0), '`num_tasks` must be at least 1, got 0'),
        (dict(filters=()), r'`filters` must be positive numbers of channels, got \(\)'),
        (dict(filters=(4, 0)), r'`filters` must be positive numbers of channels, got \(4, 0\)'),
    ],
)
def test_wrong_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_images_that_vanish_on_the_way_down_are_refused():
    with pytest.raises(ValueError, match=r'`images` must be at least 32 pixels high and wide, got \(1, 3, 31, 64\)'):
        build()(torch.randn(1, 3, 31, 64))
