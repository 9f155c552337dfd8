"""Tests of getting rows into modules and losses out of them, without anything that learns."""

from __future__ import annotations

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmfct.instances.exchange import InstanceExchange
from mmfct.instances.keys import InstanceKeys
from mmfct.models.task_weightings import InstanceTaskWeighting


@pytest.fixture
def modules() -> list[InstanceTaskWeighting]:
    return [
        InstanceTaskWeighting(dict(seg='classification', depth='laplace')),
        InstanceTaskWeighting(dict(seg_aux='classification')),
    ]


def build(modules, **options) -> InstanceExchange:
    return InstanceExchange(modules, InstanceKeys(range(5), field='sample_idx'), device='cpu', **options)


def run(exchange: InstanceExchange, modules, numbers: list[int], table=None) -> tuple:
    """Losses of a step, (B, 3), and what comes back."""
    exchange.set_batch([BaseDataElement() for _ in numbers], numbers, table)
    losses = torch.rand(len(numbers), 3)
    for module, columns in zip(modules, exchange.columns, strict=True):
        module(losses[:, columns], torch.ones(len(numbers), columns.stop - columns.start, dtype=torch.bool))
    exchange.collect()
    return losses, *exchange.take_reports()


def test_without_a_table_rows_are_zero_and_losses_are_recorded(modules):
    exchange = build(modules)
    assert exchange.tasks == ('seg', 'depth', 'seg_aux')
    total = torch.zeros(5, 3)
    for numbers in ([4, 2], [1], [2, 0]):
        losses, rows, report = run(exchange, modules, numbers)
        total[numbers] += losses
        assert rows.tolist() == numbers * 2  # each module reports its own columns
        torch.testing.assert_close(report.losses[: len(numbers), :2], losses[:, :2])
        assert report.annotated[: len(numbers)].tolist() == [[True, True, False]] * len(numbers)
    state = exchange.state_dict()
    torch.testing.assert_close(state['loss_sum'], total)
    assert state['visits'].tolist() == [[1] * 3, [1] * 3, [2] * 3, [0] * 3, [1] * 3]
    assert state['tasks'] == ['seg', 'depth', 'seg_aux'] and state['fingerprint'].startswith('sha256:')


def test_rows_of_the_batch_reach_each_module(modules):
    exchange, table = build(modules), torch.arange(15.0).view(5, 3)
    exchange.set_batch([BaseDataElement()] * 2, [3, 1], table)
    for module, columns in zip(modules, exchange.columns, strict=True):
        assert torch.equal(module.take_rows(2), table[[3, 1], columns])


def test_reports_are_taken_once_and_losses_only_on_request(modules):
    exchange = build(modules, track_losses=False)
    _, rows, report = run(exchange, modules, [0, 3])
    assert len(rows) == 4 and report.values.shape == (4, 3)
    rows, report = exchange.take_reports()
    assert len(rows) == 0 and report.losses.shape == (0, 3)
    assert exchange.history is None and exchange.state_dict().keys() == {'tasks', 'fingerprint'}


def test_a_model_without_such_modules_has_no_columns():
    exchange = build([])
    assert exchange.tasks == () and len(exchange.take_reports()[0]) == 0
