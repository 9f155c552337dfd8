"""Tests of the orders of a partial backfill."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.functional import backfill
from mmfct.functional.backfill import order_at_random, order_by_class_mean, order_by_error, order_by_uncertainty


def test_most_uncertain_first_and_equal_ones_in_order():
    assert order_by_uncertainty(torch.tensor([0.0, 3, -1, 3])).tolist() == [1, 3, 0, 2]


@pytest.fixture(params=[7, 30, 1000])
def in_blocks(request, monkeypatch):
    """Work on 30 rows in several blocks, in one that they fill, and in one."""
    monkeypatch.setattr(backfill, '_ROWS_PER_BLOCK', request.param)


def test_class_mean_equals_a_plain_loop(in_blocks):
    upgraded, labels = torch.randn(30, 4), torch.randint(0, 5, (30,)) * 7 - 3
    distances = []
    for row in range(30):
        members = [upgraded[i].double() for i in range(30) if labels[i] == labels[row]]
        distances.append(math.dist(upgraded[row].tolist(), (sum(members) / len(members)).tolist()))
    expected = sorted(range(30), key=lambda row: -distances[row])
    assert order_by_class_mean(upgraded, labels).tolist() == expected


def test_rows_of_an_unknown_class_come_last(in_blocks):
    upgraded, labels = torch.randn(30, 4), torch.arange(30) % 3
    known = [row for row in range(30) if row not in (2, 9, 21)]
    expected = [known[place] for place in order_by_class_mean(upgraded[known], labels[known])]
    upgraded[[2, 9, 21]] += 1000
    labels[[2, 9, 21]] = -1
    assert order_by_class_mean(upgraded, labels).tolist() == [*expected, 2, 9, 21]


def test_error_equals_a_plain_loop(in_blocks):
    upgraded, new = torch.randn(30, 4), torch.randn(30, 4)
    expected = sorted(range(30), key=lambda row: -math.dist(upgraded[row].tolist(), new[row].tolist()))
    assert order_by_error(upgraded, new).tolist() == expected


def test_random_order_depends_on_the_seed_alone():
    order = order_at_random(50, 1)
    assert sorted(order.tolist()) == list(range(50))
    torch.rand(1)
    assert torch.equal(order_at_random(50, 1), order)
    assert not torch.equal(order_at_random(50, 2), order)


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match=r'`log_variance` must be a finite vector, got torch.float32 of shape \(2,\)'):
        order_by_uncertainty(torch.tensor([0, math.nan]))
    with pytest.raises(ValueError, match=r'`labels` must have shape \(3,\), got \(2,\)'):
        order_by_class_mean(torch.zeros(3, 2), torch.zeros(2, dtype=torch.long))
    with pytest.raises(ValueError, match=r'`new` must have the shape \(3, 2\) of `upgraded`, got \(3, 1\)'):
        order_by_error(torch.zeros(3, 2), torch.zeros(3, 1))
