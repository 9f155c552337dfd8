"""Tests of the picture of the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.engine.weight_histogram import weight_quantiles, weight_sheet


@pytest.mark.parametrize('tasks', [('seg',), ('seg', 'depth')])
@pytest.mark.parametrize('kind', ['random', 'equal', 'zero'])
@pytest.mark.parametrize('epochs', [1, 3])
def test_a_picture_has_a_part_per_task(tasks, kind, epochs):
    weights = dict(random=torch.rand(50, len(tasks)) + 0.01, equal=torch.ones(50, len(tasks)), zero=torch.zeros(50, 2))
    weights = weights[kind][:, : len(tasks)]
    picture = weight_sheet(weights, tasks, {epoch: weight_quantiles(weights) for epoch in range(1, epochs + 1)})
    height, width, channels = picture.shape
    assert picture.dtype == np.uint8 and channels == 3
    assert width == pytest.approx(len(tasks) * 5.5 / 3.8 * height, abs=2)
    for part in np.split(picture[:, : width // len(tasks) * len(tasks)], len(tasks), axis=1):
        bars = (part[..., 2].astype(int) - part[..., 0]) > 150  # in the blue of the style
        assert bars.mean() > 0.001


def test_the_picture_grows_with_the_epochs():
    weights = torch.rand(50, 1) + 0.5
    history = {epoch: weight_quantiles(weights * epoch) for epoch in (1, 2, 3)}
    last = {3: history[3]}
    assert (weight_sheet(weights * 3, ('seg',), history) != weight_sheet(weights * 3, ('seg',), last)).mean() > 0.02


def test_quantiles_are_those_of_each_task_and_nothing_is_below_a_thousandth_of_the_largest():
    weights = torch.stack([torch.arange(101.0), torch.full((101,), 2.0)], 1)
    first, second = weight_quantiles(weights)
    assert first == pytest.approx([1, 5, 25, 50, 75, 95, 99])
    assert second == [2.0] * 7
    weights[:60, 0] = 0
    assert weight_quantiles(weights)[0][:4] == pytest.approx([0.1, 0.1, 0.1, 0.1])
