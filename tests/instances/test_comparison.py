"""Tests of labels under the predictions of other images; several ranks: test_weightings_ranks.py."""

from __future__ import annotations

import pytest
import torch

from mmfct.functional.label_agreement import agreement_weights, contrasts
from mmfct.instances.comparison import Comparison


def error(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean absolute error of each pair, and what has a label, which is not NaN."""
    annotated = ~targets.reshape(len(targets), -1).isnan().any(dim=1)
    difference = (outputs - targets).reshape(len(targets), -1).abs().mean(dim=1)
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
    full = Comparison.of(error, outputs, targets, most=200)
    assert full.outputs.shape == outputs.shape and full.targets is targets


def test_a_grid_ranks_the_labels_of_large_maps_as_all_pixels_do():
    # Maps of blobs, of which the network has seen the coarse ones; two fifths of the labels are another image's.
    number, size = 40, (256, 512)

    def upscaled(shape):
        return torch.nn.functional.interpolate(torch.randn(number, 1, *shape), size, mode='bicubic')

    coarse = upscaled((4, 8))
    labels = coarse + upscaled((16, 32)) + upscaled((64, 128))
    labels[:16] = labels[:16].roll(1, 0)

    def squared(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (outputs - targets).square().mean((1, 2, 3)), torch.ones(len(targets), dtype=torch.bool)

    ranks = []
    for most in (64, max(size)):
        own, others = Comparison.of(squared, coarse, labels, most=most).losses(7)
        ranks.append(contrasts(own[:, None], others[..., None])[:, 0].argsort().argsort().double())
    assert torch.corrcoef(torch.stack(ranks))[0, 1] > 0.99


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

    def batch(outputs: torch.Tensor) -> Comparison:
        return Comparison.of(error, outputs, torch.randn(len(outputs), 3))

    _, others = comparison.losses(3, earlier=[batch(part) for part in earlier.split(2)])
    expected = [(output - comparison.targets[0]).abs().mean() for output in earlier[:3]]
    torch.testing.assert_close(others[:, 0], torch.stack(expected))
    _, others = comparison.losses(3, earlier=[batch(torch.randn(4, 5))])  # of another size
    assert others.shape == (0, 1)
    _, others = comparison.losses(3, earlier=[batch(torch.randn(2, 5)), batch(earlier[:1])])
    torch.testing.assert_close(others[0, 0], expected[0])


def test_earlier_ones_are_not_needed_where_there_are_others():
    comparison = Comparison.of(error, torch.randn(2, 3), torch.randn(2, 3))
    _, others = comparison.losses(7, earlier=[Comparison.of(error, torch.randn(4, 3), torch.randn(4, 3))])
    assert others.shape == (1, 2)


def test_a_label_that_is_missing_has_no_loss():
    targets = torch.randn(3, 2)
    targets[1] = torch.nan
    own, others = Comparison.of(error, torch.randn(3, 2), targets).losses(2)
    assert own[1].isnan() and others[:, 1].tolist() == [0, 0] and (own[[0, 2]] > 0).all()
    assert contrasts(own[:, None], others[..., None])[:, 0].isnan().tolist() == [False, True, False]


def test_a_map_whose_labels_the_grid_misses_is_not_compared():
    # A loss of 0 under every prediction is no sign of a wrong label.
    def over_labelled(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        known = targets >= 0
        error = ((outputs[:, 0] - targets).abs() * known).flatten(1).sum(1) / known.flatten(1).sum(1).clamp(min=1)
        return error, known.flatten(1).any(dim=1)

    targets = torch.full((2, 300, 300), -1.0)
    targets[0, 1:4, 1:4], targets[1] = 0.5, 0.5
    comparison = Comparison.of(over_labelled, torch.randn(2, 1, 300, 300), targets)
    assert not (comparison.targets[0] >= 0).any()
    own, others = comparison.losses(1)
    assert contrasts(own[:, None], others[..., None])[:, 0].isnan().tolist() == [True, False]


@pytest.mark.parametrize(
    'targets', [torch.tensor([3, 1, 3, 1, 1]), torch.tensor([[0, 1], [1, 0], [0, 1], [1, 0], [1, 0]])]
)
def test_images_of_the_same_class_are_not_compared(targets):
    labels = targets if targets.dim() == 1 else targets.argmax(1)
    _, others = Comparison.of(error, torch.randn(5, *targets.shape[1:]), targets.float()).losses(4)
    for i in range(5):
        same = [bool(labels[i] == labels[(i + k) % 5]) for k in (1, 2, 3, 4)]
        assert others[:, i].isnan().tolist() == same


@pytest.mark.parametrize('majority', [0.5, 0.8, 0.9])
def test_right_labels_of_a_frequent_class_do_not_look_wrong(majority):
    # Every label is right, and every image of the frequent class fits the label of every other.
    classes = (torch.rand(600) > majority).long()
    scores = torch.randn(600, 2) + 6 * torch.nn.functional.one_hot(classes, 2)

    def entropy(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        losses = torch.nn.functional.cross_entropy(outputs, targets, reduction='none')
        return losses, torch.ones_like(targets, dtype=torch.bool)

    own, others = Comparison.of(entropy, scores, classes).losses(60)
    weights, share = agreement_weights(contrasts(own[:, None], others[..., None])[:, 0].numpy())
    assert share < 0.05 and weights[classes == 0].mean() == pytest.approx(1, abs=0.05)
