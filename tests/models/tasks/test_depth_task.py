"""Tests of depth as one of several tasks."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import PixelData
from torch import nn

from mmfct.registry import MODELS, TRANSFORMS


@pytest.fixture
def task():
    """Function that builds a task on a head of mmseg."""

    def build(**options) -> nn.Module:
        head = dict(type='mmseg.FCNHead', in_channels=4, channels=4, num_convs=0, concat_input=False, num_classes=1)
        return MODELS.build(dict(type='mmfct.DepthTask', head=head, **options))

    return build


@pytest.fixture
def sample():
    """Function that makes a data sample of mmseg."""
    from mmseg.structures import SegDataSample

    def make(depth: torch.Tensor | None = None, **metainfo) -> SegDataSample:
        made = SegDataSample(metainfo=metainfo)
        if depth is not None:
            made.gt_depth_map = PixelData(data=depth[None])
        return made

    return make


def losses_of(task, outputs, samples):
    return task.compare(outputs, task.targets(outputs, samples))


@pytest.mark.parametrize(('error', 'form', 'power'), [('l1', 'laplace', 1), ('l2', 'gaussian', 2)])
def test_errors_are_averaged_over_valid_pixels(task, sample, error, form, power):
    module = task(error=error)
    assert module.form == form
    depth, target = torch.rand(3, 1, 4, 5), torch.rand(3, 4, 5) + 0.1
    target[0, 1:3] = 0
    target[2] = 0
    losses, annotated = losses_of(module, depth, [sample(labels) for labels in target])
    assert annotated.tolist() == [True, True, False]
    for i in range(2):
        terms = [
            abs(depth[i, 0, y, x].item() - target[i, y, x].item()) ** power
            for y in range(4)
            for x in range(5)
            if target[i, y, x] > 0
        ]
        assert losses[i].item() == pytest.approx(sum(terms) / len(terms), rel=1e-5)
    assert losses[2] == 0


@pytest.mark.parametrize('error', ['l1', 'l2'])
@pytest.mark.parametrize('invalid', [math.nan, -1.0, 0.0])
def test_invalid_pixels_have_no_gradient(task, sample, error, invalid):
    depth = torch.rand(1, 1, 2, 2, requires_grad=True)
    target = torch.tensor([[0.5, invalid], [invalid, 0.2]])
    losses_of(task(error=error), depth, [sample(target)])[0].sum().backward()
    assert depth.grad.isfinite().all()
    assert torch.equal(depth.grad[0, 0] != 0, torch.eye(2, dtype=torch.bool))


@pytest.mark.parametrize('signed', [False, True])
def test_labels_are_compared_with_the_predictions_of_other_images(task, sample, signed):
    module, depth, maps = task(signed=signed), torch.rand(3, 1, 4, 5), torch.rand(3, 4, 5) + 0.1
    maps[0, 1:3] = math.nan if signed else 0
    samples = [sample(maps[0]), sample(), sample(maps[2])]
    targets = module.targets(depth.bfloat16(), samples)
    assert targets.shape == (3, 1, 4, 5) and targets.dtype == torch.float32
    assert torch.equal(targets[2, 0], maps[2])
    assert targets[1].isnan().all() if signed else not targets[1].any()
    losses, annotated = module.compare(depth.roll(1, 0), targets)
    expected, known = losses_of(module, depth.roll(1, 0), samples)
    assert torch.equal(losses, expected) and torch.equal(annotated, known) and known.tolist() == [True, False, True]
    few = module.compare(depth[2:].expand(2, -1, -1, -1), targets[[0, 2]])  # another number than the batch's
    torch.testing.assert_close(few[0][1], (depth[2] - maps[2]).abs().mean())


@pytest.mark.parametrize('factor', [1.0, 1e-3])
def test_values_of_no_measurement_do_not_count(task, sample, tmp_path, factor):
    """A 16-bit file as mmseg loads it: 0 and 65535 are no depths, and neither is infinity."""
    numbers = np.array([[0, 1000, 65535], [2000, 65535, 65534]], np.uint16)
    cv2.imwrite(str(tmp_path / 'depth.png'), numbers)
    results = dict(depth_map_path=str(tmp_path / 'depth.png'), seg_fields=[])
    results = TRANSFORMS.build(dict(type='mmseg.LoadDepthAnnotation', depth_rescale_factor=factor))(results)
    target = torch.from_numpy(results['gt_depth_map'])
    target[0, 1] = math.inf
    depth = torch.zeros(1, 1, 2, 3, requires_grad=True)
    made = sample(target, depth_rescale_factor=results['depth_rescale_factor'])
    losses, annotated = losses_of(task(), depth, [made])
    assert annotated.item() and losses.item() == pytest.approx((2000 + 65534) / 2 * factor)
    losses.sum().backward()
    assert torch.equal(depth.grad[0, 0] != 0, torch.tensor([[False, False, False], [True, False, True]]))
    assert not task().has_label(sample(torch.full((2, 2), 65535.0)))


def test_a_sample_without_labels(task, sample):
    losses, annotated = losses_of(task(), torch.rand(2, 1, 2, 2), [sample(), sample(torch.ones(2, 2))])
    assert annotated.tolist() == [False, True] and losses[0] == 0


def test_padding_of_the_host_is_ignored(task, sample):
    # `SegDataPreProcessor` pads at the right and at the bottom, with 255.
    target = torch.full((4, 6), 255.0)
    target[:3, :4] = 0.5
    kept = target.clone()
    depth = torch.rand(1, 1, 4, 6)
    losses, _ = losses_of(task(), depth, [sample(target, img_shape=(3, 4), padding_size=(0, 2, 0, 1))])
    torch.testing.assert_close(losses[0], (depth[0, 0, :3, :4] - 0.5).abs().mean())
    assert torch.equal(target, kept)


def test_half_precision_is_compared_in_float32(task, sample):
    # bfloat16 has three digits: of labels around 100 it would round off 0.25.
    losses, _ = losses_of(task(), torch.full((1, 1, 2, 2), 100.0).bfloat16(), [sample(torch.full((2, 2), 100.25))])
    assert losses.dtype == torch.float32 and losses.item() == 0.25


def test_head_and_prediction(task, sample):
    module, made = task(), sample()
    depth = module((torch.randn(2, 4, 3, 3),))
    assert depth.shape == (2, 1, 3, 3)
    module.add_prediction(depth[0], made)
    assert torch.equal(made.pred_depth_map.data, depth[0])


def test_an_unknown_error_is_refused(task):
    with pytest.raises(ValueError, match=r"`error` must be one of \['l1', 'l2'\], got 'huber'"):
        task(error='huber')


def test_signed_labels_are_valid_wherever_they_are_numbers(task, sample):
    module = task(signed=True)
    target = torch.tensor([[0.5, -0.5, 0.0, math.nan], [math.nan, -1.0, math.nan, 2.0]])
    depth = torch.full((2, 1, 2, 4), 0.25, requires_grad=True)
    losses, annotated = losses_of(module, depth, [sample(target), sample()])
    assert annotated.tolist() == [True, False]
    assert losses.tolist() == pytest.approx([(0.25 + 0.75 + 0.25 + 1.25 + 1.75) / 5, 0])
    losses.sum().backward()
    assert torch.equal(depth.grad[0, 0] != 0, ~target.isnan()) and not depth.grad[1].any()
    padded = sample(torch.zeros(2, 4), padding_size=(0, 1, 0, 1), img_shape=(1, 3))
    losses, _ = losses_of(module, torch.arange(8.0).view(1, 1, 2, 4), [padded])
    assert losses.tolist() == [1.0]  # (0 + 1 + 2) / 3
    assert not losses_of(module, depth[:1], [sample(torch.full((2, 4), math.inf))])[1].any()


@pytest.mark.parametrize('signed', [False, True])
@pytest.mark.parametrize('zoom', ['none', 'before', 'after'])
@pytest.mark.parametrize(
    'moved',
    [
        dict(type='RandomRotate', prob=1.0, degree=(30, 30)),
        dict(type='RandomCutOut', prob=1.0, n_holes=2, cutout_shape=(6, 7), seg_fill_in=255),
    ],
)
def test_what_transforms_of_the_host_fill_is_no_depth(task, sample, moved, zoom, signed):
    """The prediction is off by 0.03 everywhere, and so is the error."""
    rng = np.random.default_rng(0)
    depth = rng.uniform(1, 9, (24, 32)).astype(np.float32)
    results = dict(img=np.zeros((24, 32, 3), np.uint8), gt_depth_map=depth, seg_fields=['gt_depth_map'])
    results['depth_target'] = 'relative_depth'
    steps = [dict(moved, _scope_='mmseg')]
    if zoom != 'none':
        steps.insert(zoom == 'after', dict(type='mmfct.RandomZoomCrop', scales=(1.2,), scale_depth='published'))
    for step in steps:
        results = TRANSFORMS.build(step)(results)
    target = torch.from_numpy(results['gt_depth_map'])
    filled = target > 9
    assert 20 < filled.sum() < 600
    module = task(signed=signed)
    prediction = torch.where(filled, 1.0, target + 0.03)
    losses, annotated = losses_of(module, prediction[None, None], [sample(target)])
    assert losses.item() == pytest.approx(0.03, rel=1e-4) and annotated.item()


def test_only_training_refuses_images_whose_depth_does_not_follow_a_zoom(task, sample):
    samples = [sample(torch.ones(2, 2), ori_shape=(4, 4), scale_factor=(s, s)) for s in (0.5, 1.0)]
    losses_of(task().eval(), torch.rand(2, 1, 2, 2), samples)
    losses_of(task(signed=True), torch.rand(2, 1, 2, 2), samples)
    with pytest.raises(ValueError, match='must not be resized by different factors'):
        losses_of(task(), torch.rand(2, 1, 2, 2), samples)


def test_another_fill(task, sample):
    target, depth = torch.tensor([[-1.0, 2.0, 255.0]]), torch.zeros(1, 1, 1, 3)
    losses, _ = losses_of(task(signed=True, fill=-1.0), depth, [sample(target)])
    assert losses.item() == pytest.approx(128.5)


@pytest.mark.parametrize(('target', 'expected'), [('inverse_depth', 3), ('disparity', 3), ('depth', 12)])
def test_a_zoom_is_undone(task, target, expected):
    module, depth = task(), torch.full((1, 2, 2), 6.0)
    assert module.undo_zoom(depth, dict(zoom=2.0, depth_target=target)).unique().tolist() == [expected]
    assert module.undo_zoom(depth, {}) is module.undo_zoom(depth, dict(zoom=1.0)) is depth
    with pytest.raises(ValueError, match='`meta_keys` of the packing must name it'):
        module.undo_zoom(depth, dict(zoom=2.0))


def test_depth_is_merged_by_its_mean(task):
    depths = [torch.rand(1, 2, 2) for _ in range(3)]
    torch.testing.assert_close(task().merge(depths), torch.stack(depths).mean(0))
