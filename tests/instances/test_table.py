"""Tests of the table of all training instances; training with it is tested with its hook."""

from __future__ import annotations

import math

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmfct.instances.keys import InstanceKeys
from mmfct.instances.table import InstanceTable
from mmfct.models.task_weightings import InstanceTaskWeighting

OPTIONS = dict(lr=1.0, momentum=0.0, decay=0.0, max_factor=20.0, track_losses=True, device='cpu')


def build(*modules, size: int = 5, **options) -> InstanceTable:
    keys = InstanceKeys(range(size), field='sample_idx')
    return InstanceTable(modules, keys, **(OPTIONS | options))


def set_batch(table: InstanceTable, numbers: list[int]) -> None:
    table.set_batch([BaseDataElement() for _ in numbers], numbers)


@pytest.fixture
def modules() -> list[InstanceTaskWeighting]:
    return [
        InstanceTaskWeighting(dict(seg='classification', depth='laplace')),
        InstanceTaskWeighting(dict(seg_aux='classification'), shared=False),
    ]


def test_modules_share_a_table_by_columns(modules):
    table = build(*modules)
    torch.nn.init.constant_(modules[0].log_variance, 0.5)  # it would take a start of its own otherwise
    assert table.tasks == ('seg', 'depth', 'seg_aux')
    table.rows.copy_(torch.arange(15.0).view(5, 3) / 10)
    before = table.rows.clone()
    set_batch(table, [4, 2])
    losses = torch.tensor([[1.0, 2.0], [3.0, 0.5]]), torch.tensor([[2.0], [4.0]])
    for module, values in zip(modules, losses, strict=True):
        module(values, torch.ones_like(values, dtype=torch.bool))
    table.collect()
    table.step()
    exponent, shared = torch.tensor([1.0, 0.5, 1.0]), torch.tensor([0.5, 0.5, 0.0])
    gradient = 0.5 - exponent * torch.exp(-exponent * (before[[4, 2]] + shared)) * torch.cat(losses, dim=1)
    expected = before.clone()
    expected[[4, 2]] -= gradient
    torch.testing.assert_close(table.rows, expected)
    weights = table.weights()
    torch.testing.assert_close(weights, torch.exp(-exponent * (table.rows + shared)))
    assert torch.equal(table.state_dict()['log_variance'], shared)
    assert table.state_dict()['visits'].tolist() == [[0] * 3, [0] * 3, [1] * 3, [0] * 3, [1] * 3]


def test_a_module_that_did_not_run_leaves_its_columns(modules):
    table = build(*modules)
    set_batch(table, [1])
    modules[1](torch.tensor([[2.0]]), torch.tensor([[True]]))
    table.collect()
    table.step()
    assert table.rows[1].tolist() == [0.0, 0.0, 1.5] and table.rows.count_nonzero() == 1


@pytest.mark.parametrize(('power', 'factor'), [(2, 1.5), (1, 3.0)])
def test_the_scale_leaves_one_by_at_most_the_factor(modules, power, factor):
    modules[0].scale_power = power
    table = build(modules[0], max_factor=factor, lr=100.0)
    set_batch(table, [0, 1])
    modules[0](torch.tensor([[9.0, 9.0], [0.0, 0.0]]), torch.ones(2, 2, dtype=torch.bool))
    table.collect()
    table.step()
    scales = torch.exp(table.rows / power)
    torch.testing.assert_close(scales[:2], torch.tensor([[factor, factor], [1 / factor, 1 / factor]]))


def test_the_state_of_another_table_is_restored(modules):
    first = build(*modules, momentum=0.5)
    first.rows.normal_()
    second = build(*modules, momentum=0.5)
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.rows, first.rows)
    untracked = build(*modules, track_losses=False)
    untracked.load_state_dict(first.state_dict())
    second.load_state_dict(untracked.state_dict())  # neither losses nor momentum in it
    assert torch.equal(second.rows, first.rows)


def test_the_state_of_another_training_set_or_other_tasks_is_refused(modules):
    table = build(*modules)
    other = build(*modules, size=6).state_dict()
    message = f'checkpoint has {other["fingerprint"]}, the data set {table.state_dict()["fingerprint"]}; restore'
    with pytest.raises(ValueError, match=message):
        table.load_state_dict(other)
    with pytest.raises(ValueError, match=r"tasks \['seg', 'depth'\], the model \['seg', 'depth', 'seg_aux'\]"):
        table.load_state_dict(build(modules[0]).state_dict())


def test_two_modules_with_a_task_of_one_name_are_refused(modules):
    with pytest.raises(ValueError, match=r"`task` must be unique in a model, got \('seg', 'depth', 'seg', 'depth'\)"):
        build(modules[0], InstanceTaskWeighting(dict(seg='laplace', depth='laplace')))


def test_an_unknown_instance_is_refused(modules):
    with pytest.raises(ValueError, match='got 7'):
        set_batch(build(*modules), [1, 7])


def test_a_whole_step_touches_no_more_in_a_larger_table(modules, tensor_sizes):
    sizes = []
    torch.nn.init.constant_(modules[0].log_variance, 0.5)  # the first table would find a start, the second have one
    for size in (100, 20_000):
        table = build(modules[0], size=size, momentum=0.9, decay=0.1)
        with tensor_sizes() as seen:
            set_batch(table, [size - 1, *range(31)])
            modules[0](torch.rand(32, 2), torch.ones(32, 2, dtype=torch.bool))
            table.collect()
            table.step()
        assert table.rows[size - 1].abs().min() > 0
        assert max(seen.outputs) <= 32 * 7 and max(seen.inputs.values()) <= 32 * 7
        sizes.append((seen.outputs, seen.inputs))
    assert sizes[0] == sizes[1]
    assert math.isfinite(table.rows.sum())
