"""Tests of labels under the predictions of other images; several ranks: test_weightings_ranks.py."""

from __future__ import annotations

import pytest
import torch

from mmfct.instances.comparison import Comparison


def error(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean absolute error of each pair, and what has a label, which is not NaN."""
    annotated = ~targets.flatten(1).isnan().any(dim=1)
    difference = (outputs - targets).flatten(1).abs().mean(dim=1)
    return torch.where(annotated, difference, 0.0), annotated


@pytest.mark.parametrize('number', [1, 2, 4, 9])
def test_losses_are_those_of_a_plain_loop(number):
    outputs, targets = torch.randn(5, 3), torch.randn(5, 3)
    own, others = Comparison.of(error, outputs, targets).losses(number)
    assert others.shape == (min(number, 4), 5)
    for i in range(5):
        assert own[i].item() == pytest.approx((outputs[i] - targets[i]).abs().mean().item(), rel=1e-5)
        for k in range(len(others)):
            other = outputs[(i + k + 1) % 5]  # never its own
            assert others[k, i].item() == pytest.approx((other - targets[i]).abs().mean().item(), rel=1e-5)


def test_nothing_has_a_gradient_and_half_precision_is_widened():
    outputs = torch.randn(3, 2, requires_grad=True).bfloat16()
    comparison = Comparison.of(error, outputs, torch.randn(3, 2))
    assert comparison.outputs.dtype == torch.float32 and not comparison.outputs.requires_grad
    own, others = comparison.losses(2)
    assert not own.requires_grad and not others.requires_grad


def test_large_maps_are_compared_on_a_grid():
    outputs, targets = torch.randn(2, 3, 200, 50), torch.randn(2, 200, 50)
    comparison = Comparison.of(error, outputs, targets)
    rows = torch.linspace(0, 199, 64).round().long()
    assert rows.unique().numel() == 64 and rows[0] == 0 and rows[-1] == 199
    assert torch.equal(comparison.outputs, outputs[:, :, rows])
    assert torch.equal(comparison.targets, targets[:, rows])


@pytest.mark.parametrize('shape', [(4,), (4, 3), (4, 3, 64, 20), (4, 100, 90)])
def test_everything_else_is_compared_as_it_is(shape):
    outputs, targets = torch.randn(shape), torch.randn(shape)
    comparison = Comparison.of(error, outputs, targets)
    assert torch.equal(comparison.outputs, outputs) and comparison.targets is targets


def test_maps_of_another_size_than_their_labels_are_left_to_the_loss():
    comparison = Comparison.of(error, torch.randn(2, 1, 100, 100), torch.randn(2, 1, 200, 200))
    assert comparison.outputs.shape[-1] == 100 and comparison.targets.shape[-1] == 200


def test_a_single_image_has_only_earlier_ones():
    comparison = Comparison.of(error, torch.randn(1, 3), torch.randn(1, 3))
    own, others = comparison.losses(7)
    assert own.shape == (1,) and others.shape == (0, 1)
    earlier = torch.randn(4, 3)
    _, others = comparison.losses(3, earlier=earlier.split(2))
    expected = [(output - comparison.targets[0]).abs().mean() for output in earlier[:3]]
    torch.testing.assert_close(others[:, 0], torch.stack(expected))
    _, others = comparison.losses(3, earlier=[torch.randn(4, 5)])  # of another size
    assert others.shape == (0, 1)
    _, others = comparison.losses(3, earlier=[torch.randn(2, 5), earlier[:1]])
    torch.testing.assert_close(others[0, 0], expected[0])


def test_earlier_ones_are_not_needed_where_there_are_others():
    comparison = Comparison.of(error, torch.randn(2, 3), torch.randn(2, 3))
    _, others = comparison.losses(7, earlier=[torch.randn(4, 3)])
    assert others.shape == (1, 2)


def test_a_label_that_is_missing_has_no_loss():
    targets = torch.randn(3, 2)
    targets[1] = torch.nan
    own, others = Comparison.of(error, torch.randn(3, 2), targets).losses(2)
    assert own[1] == 0 and others[:, 1].tolist() == [0, 0] and (own[[0, 2]] > 0).all()
