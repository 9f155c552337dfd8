"""Tests of training with weights by label agreement, in mmengine's own loops; what both kinds share is in
test_instance_task_weight_hook.py."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from torch.utils.data import Subset

from mmfct.functional.label_agreement import agreement_weights
from mmfct.functional.task_weighting import WEIGHT_FORMS
from mmfct.registry import MODELS
from mmfct.utils.checkpoint import load_checkpoint

MISSING = [(0, 0), (3, 1), (4, 0), (4, 1), (9, 1)]
MEMORY = 0.8
SLOW = dict(type='SGD', lr=0.05)


@pytest.fixture
def train(toy, tmp_path):
    """Function that trains the toy model with weights by agreement, and returns its Runner."""

    def run(**options):
        runner = toy.make_runner(str(tmp_path), **(dict(agreement=True) | options))
        runner.train()
        return runner

    return run


def agreement(toy, **options):
    """The toy model; ``options`` are of the weighting, or ``half`` and ``units``."""
    own = {name: options.pop(name) for name in ('half', 'units') if name in options}
    return toy.ToyTasks(dict(type='mmfct.AgreementWeighting', **options), **own)


def simulate(toy, data, *, epochs, batch_size=4, others=7, shared=True) -> dict:
    """The same in plain Python: one instance, task and other prediction after the other, SGD by hand."""
    model, forms = toy.ToyTasks(), [WEIGHT_FORMS[form] for form in toy.FORMS.values()]
    sums, counts, weights = np.zeros((len(data), 2)), np.zeros((len(data), 2)), np.ones((len(data), 2))
    shares, before = [math.nan, math.nan], []
    s_task = torch.zeros(2, requires_grad=True)
    parameters = [*model.layer.parameters(), *([s_task] if shared else [])]
    buffers = [torch.zeros_like(parameter) for parameter in parameters]
    for _ in range(epochs):
        for start in range(0, len(data), batch_size):
            rows = list(range(start, min(start + batch_size, len(data))))
            outputs = [model.layer(data.inputs[i]) for i in rows]
            pool = outputs + before if len(rows) == 1 else outputs
            objective = torch.tensor(0.0)
            for t, (factor, exponent) in enumerate(forms):

                def loss(place, i, t=t, pool=pool):
                    error = pool[place][t] - data.targets[i, t]
                    return error.abs() if t else error.square()

                known = [(place, i) for place, i in enumerate(rows) if not data.targets[i, t].isnan()]
                own = {i: loss(place, i) for place, i in known}
                if not own:
                    continue
                if shared and s_task[t] == 0:
                    mean = sum(value.item() for value in own.values()) / len(own)
                    s_task.data[t] = math.log(2 * exponent * factor * mean) / exponent
                for place, i in known:
                    ratios = []
                    for step in range(1, min(others, len(pool) - 1) + 1):
                        a, b = own[i].item(), loss((place + step) % len(pool), i).item()
                        ratios.append((a - b) / (a + b))
                    if ratios:
                        sums[i, t] = MEMORY * sums[i, t] + (1 - MEMORY) * sum(ratios) / len(ratios)
                        counts[i, t] = MEMORY * counts[i, t] + (1 - MEMORY)
                terms = [
                    weights[i, t]
                    * (factor * torch.exp(-exponent * s_task[t]) * value + s_task[t] / 2 if shared else value)
                    for i, value in own.items()
                ]
                objective = objective + sum(terms) / len(terms)
            before = [*(before if len(rows) == 1 else []), *(output.detach() for output in outputs)]
            gradients = torch.autograd.grad(objective, parameters)
            with torch.no_grad():
                for parameter, buffer, gradient in zip(parameters, buffers, gradients, strict=True):
                    parameter -= 0.05 * buffer.mul_(0.9).add_(gradient)
        for t in range(2):
            met = counts[:, t] > 0
            if met.any():
                weights[met, t], shares[t] = agreement_weights(sums[met, t] / counts[met, t])
    weight, bias = model.layer.parameters()
    return dict(
        contrast_sum=sums,
        contrast_count=counts,
        instance_weight=weights,
        share=np.array(shares),
        log_variance=s_task.detach(),
        weight=weight.detach(),
        bias=bias.detach(),
    )


@pytest.mark.parametrize(
    ('options', 'weighting'),
    [
        (dict(epochs=1), {}),
        (dict(epochs=3, size=60), {}),
        (dict(epochs=3, size=40, missing=MISSING), dict(others=2)),
        (dict(epochs=2, size=10), dict(shared=False)),  # the last batch is smaller
        (dict(epochs=4, size=9, missing=[(i, 1) for i in range(4)]), dict(others=2)),  # the last is a batch of one
    ],
)
def test_training_is_that_of_a_plain_loop(toy, train, options, weighting):
    runner = train(**options, model=agreement(toy, **weighting))
    data = runner.train_dataloader.dataset
    expected = simulate(toy, data, epochs=options['epochs'], **weighting)
    state = toy.table_of(runner).state_dict() | dict(log_variance=runner.model.weighting.log_variance.detach())
    for name in ('contrast_sum', 'contrast_count', 'instance_weight', 'share', 'log_variance'):
        value = torch.as_tensor(expected[name]).to(state[name].dtype)
        torch.testing.assert_close(
            state[name], value, rtol=1e-3, atol=1e-3, msg=lambda text, name=name: f'{name}: {text}'
        )
    for name, value in runner.model.layer.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name], rtol=1e-3, atol=1e-4)
    assert (state['contrast_count'][data.targets.isnan()] == 0).all()
    assert (state['instance_weight'][data.targets.isnan()] == 1).all()


def learnable(toy, size: int = 60, wrong: int = 15):
    """Instances whose targets follow from the inputs, but for the last ones, whose targets are permuted."""
    data = toy.ToyInstances(size)
    data.targets = data.inputs @ torch.tensor([[2.0, -1.0], [0.5, 3.0], [-1.0, 1.0]])
    data.targets[size - wrong :] = data.targets[size - wrong :].roll(1, dims=0)
    return data


def test_wrong_labels_lose_their_weight(toy, train):
    data = learnable(toy)
    runner = train(dataset=data, epochs=12, batch_size=10)
    weights, means = (getattr(toy.table_of(runner), name)() for name in ('weights', 'contrasts'))
    assert means[:45].mean() < -0.3 and means[45:].mean().abs() < 0.2
    assert (weights[45:].mean(0) < 0.5 * weights[:45].mean(0)).all()
    state = toy.table_of(runner).state_dict()
    assert state['instance_weight'].mean(0).tolist() == pytest.approx([1, 1], rel=1e-4)


@pytest.mark.parametrize('unit', [1e-3, 1e3])
def test_units_of_losses_change_neither_weights_nor_training(toy, train, unit):
    # With a sum of losses in one unit, the other task would have no say.
    outcomes = []
    for units in ((1.0, 1.0), (unit, 1.0), (unit, unit)):
        runner = train(dataset=learnable(toy), epochs=4, batch_size=10, model=agreement(toy, units=units))
        outcomes.append((toy.results(runner), runner.model.weighting, units))
    expected, weighting, _ = outcomes[0]
    assert expected['instance_weight'].std() > 0.1
    for found, other, units in outcomes[1:]:
        for name in ('contrast_sum', 'instance_weight', 'share', 'layer.weight', 'layer.bias'):
            torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=1e-3, msg=name)
        shift = torch.tensor(units).log() / weighting.exponent
        torch.testing.assert_close(other.log_variance - shift, weighting.log_variance, rtol=1e-3, atol=1e-3)
        for t in range(2):  # the ranking
            order = [(state['contrast_sum'] / state['contrast_count'])[:, t].argsort() for state in (found, expected)]
            assert torch.stack(order).argsort().double().corrcoef()[0, 1] > 0.999


def test_instances_met_twice_in_a_batch_count_once(toy, train):
    # The mean of the two; the other place of the same image has the same label, and does not count.
    rows = [0, 1, 2, 0]
    runner = train(dataset=Subset(toy.ToyInstances(3), rows), epochs=1)
    state, data = toy.table_of(runner).state_dict(), toy.ToyInstances(3)
    outputs = toy.ToyTasks().layer(data.inputs).detach()
    own = [function(outputs[:, t : t + 1], data.targets[:, t : t + 1])[0] for t, function in enumerate(toy.FUNCTIONS)]
    for t, function in enumerate(toy.FUNCTIONS):
        for i in range(3):
            found = []
            for place in [place for place, row in enumerate(rows) if row == i]:
                others = [rows[(place + k) % 4] for k in (1, 2, 3) if rows[(place + k) % 4] != i]
                losses = [
                    function(outputs[o : o + 1, t : t + 1], data.targets[i : i + 1, t : t + 1])[0] for o in others
                ]
                ratios = [((own[t][i] - other) / (own[t][i] + other)).item() for other in losses]
                found.append(sum(ratios) / len(ratios))
            assert (state['contrast_sum'] / state['contrast_count'])[i, t].item() == pytest.approx(
                sum(found) / len(found), rel=1e-3, abs=1e-5
            )
    assert state['contrast_count'].unique().numel() == 1 and state['visits'][:, 0].tolist() == [2, 1, 1]


def test_weights_are_refitted_after_every_epoch(toy, train):
    class Noted(Hook):
        def __init__(self):
            self.weights, self.shares = [], []

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            self.weights.append(toy.table_of(runner).state_dict()['instance_weight'].clone())

    noted = Noted()
    train(dataset=learnable(toy), epochs=3, batch_size=20, hooks=[noted])  # three batches make an epoch
    first, second, third = (noted.weights[start : start + 3] for start in (0, 3, 6))
    assert all(weights.eq(1).all() for weights in first)
    for epoch in (second, third):
        assert all(torch.equal(weights, epoch[0]) for weights in epoch) and not epoch[0].eq(1).all()
    assert not torch.equal(second[0], third[0])


def test_an_iteration_based_training_refits_whenever_all_data_were_seen(toy, train):
    changes = []

    class Noted(Hook):
        priority = 'LOWEST'

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            changes.append(toy.table_of(runner).state_dict()['instance_weight'].clone())

    train(
        dataset=learnable(toy),
        batch_size=20,
        hooks=[Noted()],
        train_cfg=dict(by_epoch=False, max_iters=7),
        sampler=dict(type='InfiniteSampler'),
    )
    changed = [
        step for step in range(1, 8) if not torch.equal(changes[step - 1], [torch.ones(60, 2), *changes][step - 1])
    ]
    assert changed == [3, 6]


@pytest.mark.parametrize('iterative', [False, True])
def test_an_iteration_or_epoch_based_training_is_the_same(toy, train, iterative):
    options = dict(train_cfg=dict(by_epoch=False, max_iters=9)) if iterative else dict(epochs=3)
    results = toy.results(train(dataset=learnable(toy), batch_size=20, **options))
    expected = toy.results(train(dataset=learnable(toy), batch_size=20, epochs=3))
    for name, value in expected.items():
        assert torch.equal(results[name], value), name


class Interrupt(Hook):
    """Ends the process, as it were, in the middle of an epoch."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.epoch == 2 and batch_idx == 1:
            raise KeyboardInterrupt


def test_a_resumed_training_ends_as_one_that_was_not_interrupted(toy, tmp_path):
    options = dict(epochs=4, dataset=learnable(toy), batch_size=10, sampler=dict(shuffle=True), agreement=True)
    options |= dict(checkpoint=True)
    whole = toy.make_runner(str(tmp_path / 'whole'), **options)
    whole.train()
    part = toy.make_runner(str(tmp_path / 'part'), **options, hooks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        part.train()
    resumed = toy.make_runner(str(tmp_path / 'part'), **options, resume=True)
    resumed.train()
    expected, outcome = toy.results(whole), toy.results(resumed)
    assert expected['instance_weight'].std() > 0.1 and expected['visits'].eq(4).all()
    for name in expected:
        assert torch.equal(outcome[name], expected[name]), name


def test_two_epochs_and_two_more_are_four(toy, tmp_path):
    options = dict(dataset=learnable(toy), batch_size=10, agreement=True, checkpoint=True)
    whole = toy.make_runner(str(tmp_path / 'whole'), epochs=4, **options)
    toy.make_runner(str(tmp_path / 'part'), epochs=2, **options).train()
    resumed = toy.make_runner(str(tmp_path / 'part'), epochs=4, resume=True, **options)
    for runner in (whole, resumed):
        runner.train()
    expected, outcome = toy.results(whole), toy.results(resumed)
    for name in expected:
        assert torch.equal(outcome[name], expected[name]), name


def test_what_a_checkpoint_holds(toy, train, tmp_path):
    runner = train(checkpoint=True, missing=MISSING)
    state = load_checkpoint(tmp_path / 'epoch_2.pth')['instance_task_weights']  # by the reader that runs no code
    assert state['tasks'] == ['a', 'b'] and state['fingerprint'].startswith('sha256:')
    targets = runner.train_dataloader.dataset.targets
    for name in ('contrast_sum', 'contrast_count', 'instance_weight', 'weight', 'loss_sum'):
        assert state[name].shape == (12, 2) and state[name].dtype == torch.float32
    assert torch.equal(state['visits'], 2 * (~targets.isnan()).int()) and state['share'].shape == (2,)
    assert torch.equal(state['weight'], toy.table_of(runner).weights())
    assert torch.equal(state['weight'], state['instance_weight'] * runner.model.weighting.task_weights())


def test_accumulated_halves_equal_one_batch_but_for_what_they_are_compared_with(toy, train):
    # The others are those of a half: with two instances in it, there is one. From one start of the scales.
    outcomes = []
    for half in (False, True):
        runner = train(
            dataset=learnable(toy, 40),
            batch_size=10 if half else 20,
            optim_wrapper=dict(accumulative_counts=2) if half else None,
            model=agreement(toy, others=1),
            start=0.25,
            epochs=1,
        )
        outcomes.append(toy.results(runner))
    whole, halves = outcomes
    for name in ('layer.weight', 'layer.bias', 'weighting.log_variance', 'loss_sum', 'visits', 'contrast_count'):
        torch.testing.assert_close(halves[name], whole[name], rtol=1e-5, atol=1e-6, msg=name)
    # The last of each half has another neighbour: its first instead of the first of the other half.
    same = torch.ones(40, dtype=torch.bool)
    same[9::10] = False
    torch.testing.assert_close(halves['contrast_sum'][same], whole['contrast_sum'][same], rtol=1e-4, atol=1e-6)
    assert (halves['contrast_sum'][~same] != whole['contrast_sum'][~same]).any()


def test_bfloat16_is_near_float32(toy, train):
    outcomes = []
    for half in (False, True):
        runner = train(model=agreement(toy, half=half), dataset=learnable(toy), batch_size=20, epochs=3)
        with torch.autocast('cpu', torch.bfloat16, enabled=half):
            assert runner.model.layer(torch.zeros(1, 3)).dtype == (torch.bfloat16 if half else torch.float32)
        outcomes.append(toy.results(runner))
    exact, half = outcomes
    assert half['contrast_sum'].dtype == half['instance_weight'].dtype == torch.float32
    assert (half['contrast_sum'] - exact['contrast_sum']).abs().max() < 0.02
    assert (half['instance_weight'] - exact['instance_weight']).abs().mean() < 0.05
    for name in ('layer.weight', 'weighting.log_variance'):
        torch.testing.assert_close(half[name], exact[name], rtol=0.05, atol=0.05)


def test_batches_of_one_learn_too(toy, train):
    runner = train(dataset=learnable(toy), batch_size=1, epochs=10, optim_wrapper=dict(optimizer=SLOW))
    state = toy.table_of(runner).state_dict()
    # The first of all had none before it, once.
    assert state['contrast_count'][0].tolist() == pytest.approx([1 - MEMORY**9] * 2)
    assert state['contrast_count'][1:].unique().tolist() == pytest.approx([1 - MEMORY**10])
    means = toy.table_of(runner).contrasts()
    assert (means[:45].mean(0) < -0.3).all() and (means[45:].mean(0).abs() < 0.25).all()


def test_shares_of_wrong_labels_are_logged(toy, train, tmp_path):
    runner = train(dataset=learnable(toy), batch_size=20, epochs=2, log_level='INFO')
    shares = toy.table_of(runner).shares
    found = [runner.message_hub.get_scalar(f'train/wrong_{name}').current() for name in 'ab']
    assert found == pytest.approx(shares.tolist())
    (log,) = tmp_path.glob('*/*.log')
    text = ', '.join(f'{name} {100 * share:.0f} %' for name, share in zip('ab', shares.tolist(), strict=True))
    assert f'labels that look wrong to the network so far: {text}; the share falls as it learns' in log.read_text()


@pytest.mark.parametrize(
    ('hook', 'named'), [({}, None), (dict(lr=0.5), 'lr'), (dict(momentum=0.5, decay=1), 'momentum, decay')]
)
def test_rates_that_do_nothing_are_warned_of(train, tmp_path, hook, named):
    train(epochs=1, hook=hook, log_level='WARNING')
    (log,) = tmp_path.glob('*/*.log')
    assert ('weights by agreement have no rate' in log.read_text()) == bool(named)
    if named:
        assert f'{named} of the hook: unused, weights by agreement have no rate' in log.read_text()


def test_both_kinds_in_one_model_are_refused(toy, train):
    model = agreement(toy)
    model.other = MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms=dict(c='laplace')))
    message = (
        'must all come from agreement, or all from gradient descent, got .* AgreementWeighting, InstanceTaskWeigh'
    )
    with pytest.raises(ValueError, match=message):
        train(model=model)


def test_a_checkpoint_of_the_other_kind_is_refused(toy, tmp_path):
    toy.make_runner(str(tmp_path / 'a'), epochs=1, agreement=True, checkpoint=True).train()
    toy.make_runner(str(tmp_path / 'b'), epochs=1, checkpoint=True).train()
    with pytest.raises(ValueError, match='checkpoint has weights by agreement, the model parameters that are trained'):
        toy.make_runner(str(tmp_path / 'a'), resume=True).train()
    with pytest.raises(ValueError, match='checkpoint has weights learned by gradient descent, the model weights by'):
        toy.make_runner(str(tmp_path / 'b'), resume=True, agreement=True).train()


def test_another_data_set_is_refused(toy, train, tmp_path):
    train(epochs=1, checkpoint=True)
    with pytest.raises(ValueError, match='belongs to another training set: the checkpoint has sha256:'):
        train(epochs=2, size=13, resume=True, load_from=str(tmp_path / 'epoch_1.pth'))


def test_heads_with_margins_are_refused(toy, train):
    model = agreement(toy)
    model.set_margins = None  # as ArcFace's head has
    with pytest.raises(ValueError, match='ToyTasks lowers the score of the given class .* set `gradient=True`'):
        train(model=model)
    model = toy.ToyTasks({})
    model.set_margins = None
    assert train(model=model, epochs=1).epoch == 1
