"""Tests of leave-one-out batch means; several ranks: test_weightings_ranks.py."""

from __future__ import annotations

import pytest
import torch

from mmfct.models.task_weightings.mean_of_others import mean_of_others


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
@pytest.mark.parametrize('shape', [(2, 3), (5, 1, 4, 6)])
def test_means_are_those_of_a_loop(shape, dtype):
    outputs = torch.randn(shape).to(dtype).requires_grad_()
    means = mean_of_others(outputs)
    assert means.dtype == torch.float32 and not means.requires_grad
    for i, mean in enumerate(means):
        others = [output.float() for j, output in enumerate(outputs) if j != i]
        torch.testing.assert_close(mean, sum(others) / len(others))


def test_a_single_instance_has_no_others():
    assert mean_of_others(torch.randn(1, 3)) is None
