"""Which values of a depth map are measurements."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mmfct.functional.measured_depth import is_largest, measured_depth


@pytest.mark.parametrize('rescale', [1.0, 1e-3, 1 / 256, 1 / 5000])
def test_measurements_are_numbers_above_0_and_below_the_largest_of_a_file(rescale):
    file = torch.tensor([0.0, 1, 1000, 65534, 65535])
    assert measured_depth(file * rescale, rescale=rescale).tolist() == [False, True, True, True, False]
    # as mmseg's loader computes it
    assert is_largest(file.numpy() * rescale, rescale).tolist() == [False, False, False, False, True]
    assert is_largest(np.array([0, 65535], np.uint16)).tolist() == [False, True]


def test_signed_depth_is_measured_wherever_it_is_a_number():
    values = torch.tensor([math.nan, math.inf, -math.inf, -2.0, 0.0, 3.0])
    assert measured_depth(values).tolist() == [False] * 5 + [True]
    assert measured_depth(values, signed=True).tolist() == [False] * 3 + [True] * 3
