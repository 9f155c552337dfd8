"""Depth errors against a plain loop, through mmengine's evaluator and over two gloo processes."""

from __future__ import annotations

import json
import math

import pytest
import torch
from mmengine.evaluator import Evaluator
from mmengine.structures import BaseDataElement, PixelData

from mmfct.evaluation.depth_error_metric import DepthErrorMetric


def make_maps(num: int, height: int = 3, width: int = 4) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Targets and predictions, with invalid pixels of every kind and one image without a valid one."""
    generator = torch.Generator().manual_seed(0)
    maps = []
    for i in range(num):
        target = torch.rand(height, width, generator=generator) * (i + 1)
        target[torch.rand(height, width, generator=generator) < 0.1 * i] = 0
        target[0, :3] = torch.tensor([-1.0, math.nan, math.inf])
        maps.append((torch.zeros(height, width) if i == 2 else target, torch.rand(height, width, generator=generator)))
    return maps


def make_samples(maps) -> list[dict]:
    return [
        dict(gt_depth_map=dict(data=target[None]), pred_depth_map=dict(data=prediction[None]), img_path=f'{i}.png')
        for i, (target, prediction) in enumerate(maps)
    ]


def by_loops(maps) -> dict[str, float]:
    pixels = [
        (abs(float(f) - float(y)), float(y))
        for target, prediction in maps
        for y, f in zip(target.flatten(), prediction.flatten(), strict=True)
        if y > 0 and math.isfinite(y)
    ]
    return {
        'depth/abs_error': sum(e for e, _ in pixels) / len(pixels),
        'depth/rel_error': sum(e / y for e, y in pixels) / len(pixels),
        'depth/rmse': math.sqrt(sum(e * e for e, _ in pixels) / len(pixels)),
    }


@pytest.mark.parametrize('batch_size', [1, 3, 7])
def test_matches_a_plain_loop_for_any_batch_size(batch_size):
    maps = make_maps(7)
    samples = make_samples(maps)
    metric = DepthErrorMetric(rmse=True)
    for start in range(0, len(maps), batch_size):
        metric.process(None, samples[start : start + batch_size])
    assert metric.evaluate(len(maps)) == pytest.approx(by_loops(maps), rel=1e-6)


def test_the_largest_number_of_a_16_bit_file_is_no_depth():
    target, prediction = torch.tensor([[2.0, 65.535]]), torch.tensor([[1.5, 1.0]])
    metric = DepthErrorMetric()
    metric.process(None, [dict(sample, depth_rescale_factor=1e-3) for sample in make_samples([(target, prediction)])])
    assert metric.evaluate(1) == {'depth/abs_error': 0.5, 'depth/rel_error': 0.25}


def test_through_the_evaluator_of_mmengine():
    maps = make_maps(4)
    evaluator = Evaluator([dict(type='mmfct.DepthErrorMetric', prefix='near')])
    evaluator.process(
        [
            BaseDataElement(gt_depth_map=PixelData(data=y[None]), pred_depth_map=PixelData(data=f[None]))
            for y, f in maps
        ]
    )
    expected = {name.replace('depth', 'near'): value for name, value in by_loops(maps).items() if 'rmse' not in name}
    assert evaluator.evaluate(4) == pytest.approx(expected, rel=1e-6)


def test_maps_without_a_channel_axis_and_of_other_types():
    maps = [(torch.tensor([[2.0, 4.0]]), torch.tensor([[1.0, 6.0]], dtype=torch.float16))]
    metric = DepthErrorMetric()
    metric.process(None, [dict(gt_depth_map=dict(data=y), pred_depth_map=dict(data=f)) for y, f in maps])
    assert metric.evaluate(1) == {'depth/abs_error': 1.5, 'depth/rel_error': 0.5}


def test_small_errors_on_many_pixels_do_not_drown():
    target = torch.full((1000, 1000), 1.0)
    metric = DepthErrorMetric()
    metric.process(None, make_samples([(target, target + 2**-10)] * 3))
    assert metric.evaluate(3)['depth/abs_error'] == pytest.approx(2**-10, rel=1e-12)


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_prediction_that_is_not_finite_is_named(value):
    samples = make_samples(make_maps(3))
    samples[1]['pred_depth_map']['data'][0, 1, 1] = value
    with pytest.raises(ValueError, match=r"`pred_depth_map` must be finite .* for '1\.png'"):
        DepthErrorMetric().process(None, samples)


def test_a_prediction_at_an_invalid_pixel_is_not_looked_at():
    samples = make_samples(make_maps(2))
    samples[0]['pred_depth_map']['data'][0, 0, :3] = math.nan
    metric = DepthErrorMetric()
    metric.process(None, samples)
    assert math.isfinite(metric.evaluate(2)['depth/abs_error'])


def test_unequal_sizes():
    samples = make_samples([(torch.ones(2, 3), torch.ones(3, 2))])
    with pytest.raises(ValueError, match=r"must have the shape \(2, 3\) of .*, got \(3, 2\) for '0\.png'"):
        DepthErrorMetric().process(None, samples)


@pytest.mark.parametrize('name', ['gt_depth_map', 'pred_depth_map'])
def test_missing_map(name):
    (sample,) = make_samples(make_maps(1))
    del sample[name]
    with pytest.raises(KeyError, match=f"a data sample must have '{name}', got"):
        DepthErrorMetric().process(None, [sample])


def test_no_valid_pixel_at_all():
    metric = DepthErrorMetric()
    metric.process(None, make_samples([(torch.zeros(2, 2), torch.ones(2, 2))] * 2))
    with pytest.raises(ValueError, match='`gt_depth_map` must have a valid pixel, .* got none in 2 images'):
        metric.evaluate(2)
    with pytest.raises(ValueError, match='got none in 0 images'):
        metric.compute_metrics([])


WORKER = """
import json, os, sys, torch
import torch.distributed as dist
from mmfct.evaluation.depth_error_metric import DepthErrorMetric
from mmfct.utils.launch import leave_ranks

folder, rank = sys.argv[1], 0 if os.fork() else 1
torch.set_num_threads(1)
dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
samples = torch.load(f'{folder}/samples.pt')
mine = [*range(len(samples)), 0][rank::2]  # the sampler repeats the first one
metric = DepthErrorMetric(rmse=True)
for i in mine:
    metric.process(None, [samples[i]])
json.dump(metric.evaluate(len(samples)), open(f'{folder}/rank{rank}.json', 'w'))
leave_ranks()
"""


def test_two_ranks_give_what_one_process_gives(run_ranks, tmp_path):
    maps = make_maps(7)
    torch.save(make_samples(maps), tmp_path / 'samples.pt')
    run_ranks('-c', WORKER, folder=tmp_path)
    for rank in range(2):
        assert json.loads((tmp_path / f'rank{rank}.json').read_text()) == pytest.approx(by_loops(maps), rel=1e-6)


def test_signed_targets_of_zero_have_no_relative_error():
    # Rounding makes zeros of both signs, by which a division gives infinities of both.
    metric = DepthErrorMetric(signed=True)
    for zero in (0.0, -0.0):
        target, prediction = torch.full((1, 2, 2), zero), torch.full((1, 2, 2), 0.5)
        metric.process(None, [dict(gt_depth_map=dict(data=target), pred_depth_map=dict(data=prediction))])
    assert metric.evaluate(2) == {'depth/abs_error': pytest.approx(0.5)}


def test_signed_targets_are_valid_wherever_they_are_finite():
    target = torch.tensor([[0.5, -0.5, 0.0], [math.nan, math.inf, -2.0]])
    (sample,) = make_samples([(target, torch.full((2, 3), 0.5))])
    metric = DepthErrorMetric(signed=True, rmse=True)
    metric.process(None, [sample])
    expected = {'depth/abs_error': (0 + 1 + 0.5 + 2.5) / 4, 'depth/rmse': math.sqrt((1 + 0.25 + 6.25) / 4)}
    assert metric.evaluate(1) == pytest.approx(expected)
    with pytest.raises(ValueError, match='must have a valid pixel, finite, in at least one image, got none in 1'):
        metric.process(None, make_samples([(torch.full((2, 3), math.nan), torch.zeros(2, 3))]))
        metric.evaluate(1)
