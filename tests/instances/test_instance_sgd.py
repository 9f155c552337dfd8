"""Tests of SGD on the rows of a batch."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from mmfct.instances.instance_sgd import InstanceSGD


def loop(batches, size, lr, momentum, decay, limit) -> tuple[list, list]:
    """The same in plain Python: one instance and task after the other."""
    num_instances, num_tasks = size
    table = [[0.0] * num_tasks for _ in range(num_instances)]
    velocity = [[0.0] * num_tasks for _ in range(num_instances)]
    for rows, gradient, annotated in batches:
        for i in range(num_instances):
            for t in range(num_tasks):
                places = [b for b, row in enumerate(rows.tolist()) if row == i and annotated[b, t]]
                if not places:
                    continue
                total = sum(gradient[b, t].item() + decay * table[i][t] for b in places)
                velocity[i][t] = momentum * velocity[i][t] + total
                moved = table[i][t] - lr * velocity[i][t]
                table[i][t] = max(-limit[t], min(limit[t], moved))
    return table, velocity


@pytest.mark.parametrize(
    'options',
    [
        dict(lr=1.0),
        dict(lr=0.3, momentum=0.9),
        dict(lr=0.5, decay=0.1),
        dict(lr=2.0, momentum=0.5, decay=0.2, limit=torch.tensor([0.7, 3.0, math.inf])),
    ],
)
def test_steps_are_those_of_a_loop_over_instances(options):
    batches = []
    for _ in range(4):
        rows = torch.randint(10, (8,))  # some occur twice
        batches.append((rows, torch.randn(8, 3), torch.rand(8, 3) < 0.6))
    assert any(len(rows.unique()) < len(rows) for rows, *_ in batches)
    optimizer = InstanceSGD(10, 3, **options)
    for batch in batches:
        optimizer.step(*batch)
    defaults = dict(momentum=0.0, decay=0.0, limit=torch.full((3,), math.inf)) | options
    table, velocity = loop(batches, (10, 3), **(defaults | dict(limit=defaults['limit'].tolist())))
    torch.testing.assert_close(optimizer.table, torch.tensor(table), rtol=1e-5, atol=1e-6)
    if options.get('momentum'):
        torch.testing.assert_close(optimizer.velocity, torch.tensor(velocity), rtol=1e-5, atol=1e-6)
    else:
        assert optimizer.velocity is None


def test_rows_outside_the_batch_and_entries_without_annotation_stay_as_they_are():
    optimizer = InstanceSGD(6, 2, 1.0, momentum=0.9, decay=0.1)
    optimizer.table.normal_()
    optimizer.velocity.normal_()
    table, velocity = optimizer.table.clone(), optimizer.velocity.clone()
    annotated = torch.tensor([[True, False], [True, True]])
    optimizer.step(torch.tensor([4, 1]), torch.tensor([[1.0, math.nan], [1.0, 1.0]]), annotated)
    moved = torch.zeros(6, 2, dtype=torch.bool)
    moved[[4, 1]] = annotated
    assert torch.equal(optimizer.table != table, moved)
    assert torch.equal(optimizer.velocity != velocity, moved)


def test_a_step_does_not_write_into_its_arguments():
    optimizer = InstanceSGD(3, 1, 1.0, momentum=0.9)
    rows, gradient, annotated = torch.tensor([2, 0, 2]), torch.randn(3, 1), torch.tensor([[True], [False], [True]])
    copies = rows.clone(), gradient.clone(), annotated.clone()
    optimizer.step(rows, gradient, annotated)
    assert all(torch.equal(a, b) for a, b in zip(copies, (rows, gradient, annotated), strict=True))


def test_an_empty_batch_changes_nothing():
    optimizer = InstanceSGD(3, 2, 1.0, momentum=0.9)
    optimizer.table.normal_()
    table = optimizer.table.clone()
    optimizer.step(torch.zeros(0, dtype=torch.long), torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.bool))
    assert torch.equal(optimizer.table, table)


def test_cost_does_not_depend_on_the_number_of_instances(tensor_sizes):
    # Ten million rows: not one operation makes or reads a tensor of more elements than a few batches have.
    sizes = {}
    for num_instances in (100, 10_000_000):
        optimizer = InstanceSGD(num_instances, 2, 1.0, momentum=0.9, decay=0.1, limit=torch.tensor([1.0, 2.0]))
        rows = torch.arange(32) * (num_instances // 100)
        with tensor_sizes() as seen:
            optimizer.step(rows, torch.randn(32, 2), torch.ones(32, 2, dtype=torch.bool))
        sizes[num_instances] = (seen.outputs, seen.inputs)
        assert (optimizer.table[rows] != 0).all()
        assert max(seen.outputs) <= 64 and max(seen.inputs.values()) <= 64
    assert sizes[100] == sizes[10_000_000]


def test_an_operation_on_the_whole_table_is_noticed(tensor_sizes):
    table = torch.zeros(1000, 2)
    with tensor_sizes() as seen:
        table.clamp_(-1, 1)
    assert max(seen.inputs.values()) == 2000


@pytest.mark.parametrize('momentum', [0.0, 0.9])
def test_a_restored_optimizer_goes_on_as_the_original(momentum):
    def step(optimizer, seed):
        generator = torch.Generator().manual_seed(seed)
        gradient = torch.randn(4, 2, generator=generator)
        optimizer.step(torch.randint(5, (4,), generator=generator), gradient, gradient > -1)

    first, second = (InstanceSGD(5, 2, 0.5, momentum=momentum, decay=0.1) for _ in range(2))
    step(first, 0)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for optimizer in (first, second):
        step(optimizer, 1)
    assert torch.equal(first.table, second.table)
    if momentum:
        assert torch.equal(first.velocity, second.velocity)


@pytest.mark.parametrize(('table', 'got'), [(torch.zeros(4, 2), r'\(4, 2\)'), (None, 'None')])
def test_a_table_of_another_shape_is_refused(table, got):
    optimizer = InstanceSGD(5, 2, 0.5)
    with pytest.raises(ValueError, match=rf'the table must have shape \(5, 2\), got {got}'):
        optimizer.load_state_dict(dict(deviation=table, velocity=None))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(lr=0.0), '`lr` must be above 0, got 0.0'),
        (dict(lr=math.nan), '`lr` must be above 0, got nan'),
        (dict(lr=1.0, momentum=1.0), '`momentum` must be at least 0 and below 1, got 1.0'),
        (dict(lr=1.0, momentum=-0.1), '`momentum` must be at least 0 and below 1, got -0.1'),
        (dict(lr=1.0, decay=-1), '`decay` must be at least 0, got -1'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        InstanceSGD(1, 1, **options)
