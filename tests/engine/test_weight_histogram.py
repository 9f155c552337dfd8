"""Tests of the picture of the weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.engine.weight_histogram import weight_histogram


@pytest.mark.parametrize('tasks', [('seg',), ('seg', 'depth')])
@pytest.mark.parametrize('equal', [False, True])
def test_a_picture_has_a_part_per_task(tasks, equal):
    weights = torch.ones(50, len(tasks)) if equal else torch.rand(50, len(tasks)) + 0.01
    picture = weight_histogram(weights, tasks, 'epoch 1')
    height, width, channels = picture.shape
    assert picture.dtype == np.uint8 and channels == 3
    assert width == pytest.approx(len(tasks) / 3 * 4 * height, abs=1)
    for part in np.split(picture[:, : width // len(tasks) * len(tasks)], len(tasks), axis=1):
        assert (part.min(axis=2) < 250).mean() > 0.02  # bars, in a colour
