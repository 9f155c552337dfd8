"""Tests of the mean training loss of every instance."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.instances.loss_history import LossHistory, mean_losses


def test_sums_and_counts_are_those_of_a_loop():
    history, sums, counts = LossHistory(6, 2), torch.zeros(6, 2), torch.zeros(6, 2)
    for _ in range(3):
        rows, losses, annotated = torch.randint(6, (8,)), torch.rand(8, 2), torch.rand(8, 2) < 0.5
        history.add(rows, losses.masked_fill(~annotated, math.nan), annotated)
        for b, row in enumerate(rows.tolist()):
            for t in range(2):
                if annotated[b, t]:
                    sums[row, t] += losses[b, t]
                    counts[row, t] += 1
    torch.testing.assert_close(history.loss_sum, sums)
    assert torch.equal(history.visits, counts.int())


def test_a_restored_history_goes_on():
    first, second = LossHistory(3, 1), LossHistory(3, 1)
    first.add(torch.tensor([1]), torch.tensor([[2.0]]), torch.tensor([[True]]))
    second.load_state_dict(first.state_dict())
    second.add(torch.tensor([1]), torch.tensor([[3.0]]), torch.tensor([[True]]))
    assert second.loss_sum[1].item() == pytest.approx(5.0) and second.visits[1].item() == 2
    assert first.visits[1].item() == 1


def test_means_are_nan_without_any_visit():
    means = mean_losses(torch.tensor([[3.0, 0.0]]), torch.tensor([[2, 0]], dtype=torch.int32))
    assert means.dtype == torch.float64
    assert means[0, 0] == 1.5 and means[0, 1].isnan()
