"""Tests of training the parameters of all training instances, in mmengine's own loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper, OptimWrapperDict
from torch.utils.data import Dataset, Subset

from mmfct.functional.task_weighting import WEIGHT_FORMS
from mmfct.registry import HOOKS, MODELS
from mmfct.utils.checkpoint import load_checkpoint

MISSING = [(0, 0), (3, 1), (4, 0), (4, 1), (9, 1)]


@pytest.fixture
def train(toy, tmp_path):
    """Function that trains the toy model, and returns its Runner."""

    def run(**options):
        runner = toy.make_runner(str(tmp_path), **options)
        runner.train()
        return runner

    return run


def simulate(toy, data, *, epochs=2, batch_size=4, weighting=None, lr=0.5, **hook) -> dict:
    """The same in plain Python: one instance and task after the other, and SGD of the network by hand."""
    momentum, decay = hook.get('momentum', 0.0), hook.get('decay', 0.0)
    limit = 2 * math.log(hook.get('max_factor', 20.0))
    model, forms = toy.ToyTasks(), [WEIGHT_FORMS[form] for form in toy.FORMS.values()]
    d, velocity, loss_sum, visits = (np.zeros((len(data), 2)) for _ in range(4))
    s_task = torch.zeros(2, requires_grad=True)
    shared = (weighting or {}).get('shared', True)
    parameters = [*model.layer.parameters(), *([s_task] if shared else [])]
    buffers = [torch.zeros_like(parameter) for parameter in parameters]
    steps = math.ceil(len(data) / batch_size)
    for iteration in range(epochs * steps):
        start = iteration % steps * batch_size
        rows = range(start, min(start + batch_size, len(data)))
        objective, moves = torch.tensor(0.0), []
        for t, (factor, exponent) in enumerate(forms):
            terms, losses = [], {}
            for i in rows:
                if not data.targets[i, t].isnan():
                    error = model.layer(data.inputs[i])[t] - data.targets[i, t]
                    losses[i] = error.abs() if t else error.square()
            if shared and losses and s_task[t] == 0:  # where the objective of the first batch is least
                mean = sum(loss.item() for loss in losses.values()) / len(losses)
                s_task.data[t] = math.log(2 * exponent * factor * mean) / exponent
            for i, loss in losses.items():
                s = s_task[t] + d[i, t]
                terms.append(factor * torch.exp(-exponent * s) * loss + s / 2)
                moves.append((i, t, 0.5 - exponent * factor * math.exp(-exponent * s.item()) * loss.item()))
                loss_sum[i, t] += loss.item()
                visits[i, t] += 1
            if terms:
                objective = objective + sum(terms) / len(terms)
        gradients = torch.autograd.grad(objective, parameters)
        with torch.no_grad():
            for parameter, buffer, gradient in zip(parameters, buffers, gradients, strict=True):
                parameter -= 0.05 * buffer.mul_(0.9).add_(gradient)
        for i, t, gradient in moves:
            velocity[i, t] = momentum * velocity[i, t] + gradient + decay * d[i, t]
            d[i, t] = min(limit, max(-limit, d[i, t] - lr * velocity[i, t]))
    weight, bias = model.layer.parameters()
    return dict(
        deviation=d,
        loss_sum=loss_sum,
        visits=visits,
        log_variance=s_task.detach(),
        weight=weight.detach(),
        bias=bias.detach(),
        velocity=velocity,
    )


@pytest.mark.parametrize(
    ('options', 'hook'),
    [
        ({}, {}),
        (dict(missing=MISSING), dict(momentum=0.7, decay=0.2)),
        (dict(missing=MISSING, epochs=3), dict(lr=2.0)),
        (dict(epochs=3), dict(max_factor=1.3, lr=1.0)),
        (dict(epochs=3, missing=MISSING), dict(momentum=0.5)),
        (dict(missing=[(i, 1) for i in range(4)]), {}),  # the first batch has nothing of a task
        (dict(size=10, weighting=dict(shared=False)), {}),
        (dict(missing=MISSING, epochs=3), dict(decay=0.1)),
    ],
)
def test_training_is_that_of_a_plain_loop(toy, train, options, hook):
    weighting = options.pop('weighting', None)
    runner = train(**options, model=toy.ToyTasks(weighting), hook=hook)
    data = runner.train_dataloader.dataset
    expected = simulate(toy, data, epochs=options.get('epochs', 2), weighting=weighting, **hook)
    state = toy.table_of(runner).state_dict()
    for name in ('deviation', 'loss_sum', 'visits', 'log_variance'):
        value = torch.as_tensor(expected[name]).to(state[name].dtype)
        torch.testing.assert_close(
            state[name], value, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f'{name}: {text}'
        )
    for name, value in runner.model.layer.named_parameters():
        torch.testing.assert_close(value.detach(), expected[name], rtol=1e-4, atol=1e-5)
    if hook.get('momentum'):
        velocity = torch.as_tensor(expected['velocity']).float()
        torch.testing.assert_close(state['velocity'], velocity, rtol=1e-4, atol=1e-5)
    if 'max_factor' in hook:
        assert (state['deviation'].abs() - 2 * math.log(1.3)).abs().min() < 1e-6  # some are at the limit
    assert (state['deviation'][data.targets.isnan()] == 0).all()


def test_what_a_checkpoint_holds(toy, train, tmp_path):
    runner = train(checkpoint=True, missing=MISSING, hook=dict(momentum=0.5))
    state = load_checkpoint(tmp_path / 'epoch_2.pth')['instance_task_weights']  # by the reader that runs no code
    assert state['tasks'] == ['a', 'b']
    assert state['fingerprint'].startswith('sha256:')
    assert torch.equal(state['log_variance'], runner.model.weighting.log_variance.detach())
    for name in ('deviation', 'velocity', 'loss_sum'):
        assert state[name].shape == (12, 2) and state[name].dtype == torch.float32
    assert state['visits'].dtype == torch.int32
    targets = runner.train_dataloader.dataset.targets
    assert torch.equal(state['visits'], 2 * (~targets.isnan()).int())
    assert state['factor'].tolist() == [0.5, 1.0] and state['exponent'].tolist() == [1.0, 0.5]


def test_losses_are_kept_only_where_asked_for(toy, train):
    state = toy.table_of(train(epochs=1, hook=dict(track_losses=False))).state_dict()
    assert not {'loss_sum', 'visits'} & set(state)
    assert state['velocity'] is None


def test_a_module_per_task_is_a_module_of_all_tasks(toy, train):
    together, apart = (toy.results(train(missing=MISSING, heads=heads, start=0.25)) for heads in (False, True))
    for name in ('deviation', 'loss_sum', 'visits', 'log_variance', 'layer.weight'):
        torch.testing.assert_close(apart[name], together[name], rtol=1e-5, atol=1e-6, msg=name)


@pytest.mark.parametrize('repeats', [1, 2])
def test_accumulated_halves_equal_one_batch(toy, train, repeats):
    # With two repeats, the instances of the first half of a batch come again in the second. The log-variances of the
    # tasks have a start: on their own they would take that of the first half.
    outcomes = []
    for half in (False, True):
        size = 8 // repeats
        outcomes.append(
            toy.results(
                train(
                    dataset=Subset(toy.ToyInstances(size), [*range(size)] * 2 * repeats),
                    batch_size=4 if half else 8,
                    optim_wrapper=dict(accumulative_counts=2) if half else None,
                    start=0.25,
                    hook=dict(momentum=0.5, decay=0.1),
                )
            )
        )
    whole, halves = outcomes
    assert whole['deviation'].shape == (8 // repeats, 2) and whole['visits'].unique().tolist() == [4 * repeats]
    for name in whole:
        torch.testing.assert_close(halves[name], whole[name], rtol=1e-6, atol=1e-6, msg=name)


def test_bfloat16_is_near_float32(toy, train):
    outcomes = []
    for half in (False, True):
        runner = train(model=toy.ToyTasks(half=half), epochs=3)
        with torch.autocast('cpu', torch.bfloat16, enabled=half):
            assert runner.model.layer(torch.zeros(1, 3)).dtype == (torch.bfloat16 if half else torch.float32)
        outcomes.append(toy.results(runner))
    exact, half = outcomes
    assert half['deviation'].dtype == torch.float32
    assert (half['deviation'] - exact['deviation']).abs().max() < 0.05
    assert exact['deviation'].abs().max() > 1
    for name in ('layer.weight', 'weighting.log_variance'):
        torch.testing.assert_close(half[name], exact[name], rtol=0.02, atol=0.02)


class Interrupt(Hook):
    """Ends the process, as it were, in the middle of an epoch."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.epoch == 2 and batch_idx == 1:
            raise KeyboardInterrupt


def test_a_resumed_training_ends_as_one_that_was_not_interrupted(toy, tmp_path):
    options = dict(
        epochs=4,
        missing=MISSING,
        sampler=dict(shuffle=True),
        hook=dict(momentum=0.5, decay=0.1),
        checkpoint=True,
    )
    whole = toy.make_runner(str(tmp_path / 'whole'), **options)
    whole.train()
    part = toy.make_runner(str(tmp_path / 'part'), **options, hooks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        part.train()
    resumed = toy.make_runner(str(tmp_path / 'part'), **options, resume=True)
    resumed.train()
    expected, outcome = toy.results(whole), toy.results(resumed)
    assert expected['deviation'].abs().max() > 0.5 and expected['visits'].max() == 4
    for name in expected:
        assert torch.equal(outcome[name], expected[name]), name


def test_a_moved_data_set_is_the_same_and_another_one_is_refused(toy, train, tmp_path):
    first = train(epochs=1, checkpoint=True)
    moved = train(epochs=2, dataset=toy.ToyInstances(folder='/elsewhere'), resume=True)
    assert toy.table_of(moved).state_dict()['visits'].unique().tolist() == [2]
    fingerprint = toy.table_of(first).state_dict()['fingerprint']
    runner = toy.make_runner(str(tmp_path), epochs=3, size=13, resume=True, load_from=str(tmp_path / 'epoch_1.pth'))
    with pytest.raises(ValueError, match='belongs to another training set: the checkpoint has sha256:') as error:
        runner.train()
    (other,) = {word.strip(',;') for word in str(error.value).split() if 'sha256' in word} - {fingerprint}
    assert f'has {fingerprint}, the data set {other}; restore the data, or train anew' in str(error.value)


def test_a_table_of_other_tasks_is_refused(toy, train, tmp_path):
    train(epochs=1, checkpoint=True)
    model = toy.ToyTasks()
    model.weighting = MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms=dict(a='gaussian', depth='laplace')))
    runner = toy.make_runner(str(tmp_path), model=model, resume=True)
    with pytest.raises(ValueError, match=r"has parameters of tasks \['a', 'b'\], the model \['a', 'depth'\]"):
        runner.train()


def test_a_checkpoint_without_a_table_cannot_be_resumed(toy, tmp_path):
    first = toy.make_runner(str(tmp_path), epochs=1, model=toy.ToyTasks(dict(instance=False)), checkpoint=True)
    first._hooks = [hook for hook in first.hooks if type(hook).__name__ != 'InstanceTaskWeightHook']
    first.train()
    with pytest.raises(ValueError, match='to resume has no table of instance parameters; train from the beginning'):
        toy.make_runner(str(tmp_path), resume=True).train()


@pytest.mark.parametrize('table', [True, False])
def test_a_training_that_is_resumed_by_hand(toy, train, tmp_path, table):
    train(epochs=2, checkpoint=True)
    runner = toy.make_runner(str(tmp_path / 'new'), epochs=3)
    file = tmp_path / 'epoch_2.pth'
    if not table:
        kept = torch.load(file, weights_only=False)
        del kept['instance_task_weights']
        torch.save(kept, file)
    runner.resume(str(file))  # mmengine's method, instead of the option of its config
    if table:
        runner.train()
        assert toy.table_of(runner).state_dict()['visits'].unique().tolist() == [3]
    else:
        with pytest.raises(ValueError, match='to resume has no table of instance parameters'):
            runner.train()


def test_images_mixed_in_a_batch_are_refused(toy, train):
    model = toy.ToyTasks()
    model.data_preprocessor.batch_augments = object()  # as mmpretrain's, from `train_cfg.augments`
    with pytest.raises(ValueError, match='`batch_augments` of the data preprocessor .* must be left out'):
        train(model=model)


def test_weights_to_start_from_bring_no_table(toy, train, tmp_path):
    train(epochs=1, checkpoint=True)
    runner = toy.make_runner(str(tmp_path / 'new'), size=20, epochs=1, load_from=str(tmp_path / 'epoch_1.pth'))
    runner.train()
    assert toy.table_of(runner).state_dict()['visits'].unique().tolist() == [1]


class Untouchable(Dataset):
    """A training set that is not on this machine."""

    metainfo: dict = {}

    def __len__(self):
        raise AssertionError('the training set was asked for')

    __getitem__ = get_data_info = __len__


def test_a_test_needs_no_training_set(toy, train, tmp_path):
    from mmengine.evaluator import BaseMetric

    class Count(BaseMetric):
        def process(self, data_batch, data_samples):
            self.results.extend(data_samples)

        def compute_metrics(self, results):
            return dict(count=len(results))

    train(epochs=1, checkpoint=True)
    runner = toy.make_runner(
        str(tmp_path / 'test'),
        dataset=Untouchable(),
        load_from=str(tmp_path / 'epoch_1.pth'),
        test_dataloader=dict(
            batch_size=4,
            dataset=toy.ToyInstances(5),
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=dict(type='default_collate'),
        ),
        test_cfg=dict(),
        test_evaluator=[Count(prefix='toy')],
    )
    assert runner.test() == {'toy/count': 5}


def test_an_iteration_based_training_logs_whenever_all_data_were_seen(train, tmp_path):
    runner = train(
        hook=dict(histogram=True),
        train_cfg=dict(by_epoch=False, max_iters=7),
        sampler=dict(type='InfiniteSampler'),
    )
    assert list(runner.message_hub.get_info('instance_weight_quantiles')) == [1, 2]
    assert len(list(tmp_path.rglob('instance_weights_*.png'))) == 1


def test_mean_and_spread_of_the_weights_are_logged_and_drawn(toy, train, tmp_path):
    import cv2

    runner = train(hook=dict(histogram=True))
    weights = toy.table_of(runner).weights()
    assert weights.shape == (12, 2)
    d, s_task = toy.table_of(runner).rows, runner.model.weighting.log_variance.detach()
    torch.testing.assert_close(
        weights, torch.stack([0.5 * (-d[:, 0] - s_task[0]).exp(), (-(d[:, 1] + s_task[1]) / 2).exp()], 1)
    )
    for column, name in enumerate('ab'):
        values = [runner.message_hub.get_scalar(f'train/weight_{name}_{kind}').current() for kind in ('mean', 'std')]
        expected = weights[:, column].mean().item(), weights[:, column].std(correction=0).item()
        assert values == pytest.approx(expected, rel=1e-5)
    (picture,) = tmp_path.glob('*/vis_data/vis_image/instance_weights_*.png')
    assert cv2.imread(str(picture)).std() > 0
    history = runner.message_hub.get_info('instance_weight_quantiles')
    assert list(history) == [1, 2]
    medians = [quantiles[3] for quantiles in history[2]]
    assert medians == pytest.approx(np.median(weights.numpy(), axis=0).tolist(), rel=1e-5)


def test_the_picture_of_a_resumed_training_has_the_epochs_before(toy, train, tmp_path):
    train(hook=dict(histogram=True), epochs=1, checkpoint=True)
    (tmp_path / 'rest').mkdir()
    options = dict(hook=dict(histogram=True), epochs=3, load_from=str(tmp_path / 'epoch_1.pth'), resume=True)
    runner = toy.make_runner(str(tmp_path / 'rest'), **options)
    runner.train()
    assert list(runner.message_hub.get_info('instance_weight_quantiles')) == [1, 2, 3]


def test_instances_by_number(toy, train):
    by_path, by_number = (train(hook=dict(key=key)) for key in ('img_path', 'sample_idx'))
    assert torch.equal(toy.table_of(by_path).rows, toy.table_of(by_number).rows)


def test_a_model_without_parameters_per_instance_is_refused(toy, train):
    with pytest.raises(ValueError, match='got none in ToyTasks; .* leave the hook and `suspects` out'):
        train(model=toy.ToyTasks(dict(instance=False)))


def test_two_modules_with_a_task_of_one_name_are_refused(toy, train):
    model = toy.ToyTasks()
    model.other = MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms=dict(b='laplace')))
    with pytest.raises(ValueError, match=r"`task` must be unique in a model, got \('a', 'b', 'b'\)"):
        train(model=model)


class Renamed(Hook):
    """Changes the names of the samples of a batch before the table sees them."""

    priority = 'VERY_HIGH'

    def __init__(self, **metainfo):
        self.metainfo = metainfo

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        for sample in data_batch['data_samples']:
            del sample.img_path
            sample.set_metainfo(self.metainfo)


def test_a_data_sample_without_its_name_is_refused(train):
    message = (
        r"data samples must have 'img_path' in their meta information, got \['sample_idx'\]; add it to `meta_keys`"
    )
    with pytest.raises(ValueError, match=message):
        train(hooks=[Renamed()])


def test_a_data_sample_of_another_data_set_is_refused(train):
    with pytest.raises(ValueError, match="one of the 12 training instances in '/data/', got '/data/x.png'"):
        train(hooks=[Renamed(img_path='/data/x.png')])


def test_a_loss_that_is_not_finite_is_named_by_file_and_task(toy, train):
    data = toy.ToyInstances()
    data.targets[5, 1] = math.inf
    with pytest.raises(ValueError, match="the loss of task 'b' must be finite, got inf for /data/5.png"):
        train(dataset=data)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(lr=0), '`lr` must be above 0, got 0'),
        (dict(momentum=1), '`momentum` must be at least 0 and below 1, got 1'),
        (dict(decay=-0.1), '`decay` must be at least 0, got -0.1'),
        (dict(max_factor=1), '`max_factor` must be above 1, got 1'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        HOOKS.build(dict(type='mmfct.InstanceTaskWeightHook', **options))


def test_a_second_pass_starts_from_what_the_first_one_found(toy, train, tmp_path):
    (tmp_path / 'suspects_b.csv').write_text('file,task,probability\n3.png,b,0.75\n')
    runner = train(agreement=True, hook=dict(suspects=str(tmp_path)))
    weights = toy.table_of(runner).state_dict()['prior']
    assert weights[:, 0].eq(1).all()
    assert torch.allclose(weights[:, 1], torch.tensor([0.25 if row == 3 else 1.0 for row in range(12)]) * 12 / 11.25)


def test_weights_by_gradient_descent_take_no_suspects(train, tmp_path):
    with pytest.raises(ValueError, match='`suspects` goes with weights by agreement .*leave `suspects` out'):
        train(hook=dict(suspects=str(tmp_path)))


class TwoOptimisers:
    """Mixin: the layer and the weighting have an optimiser each, of which only the first steps."""

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        loss = self(**data, mode='loss')['loss']
        optim_wrapper['layer'].update_params(loss)
        return dict(loss=loss)


def test_several_optimisers(toy, tmp_path):
    model = type('Model', (TwoOptimisers, toy.ToyTasks), {})()
    wrappers = {
        name: OptimWrapper(torch.optim.SGD(part.parameters(), lr=0.05, momentum=0.9))
        for name, part in dict(layer=model.layer, weighting=model.weighting).items()
    }
    runner = toy.make_runner(str(tmp_path), model=model)
    runner.optim_wrapper = OptimWrapperDict(**wrappers)
    runner.train()
    frozen = dict(paramwise_cfg=dict(custom_keys=dict(weighting=dict(lr_mult=0.0))))
    reference = toy.make_runner(str(tmp_path), optim_wrapper=frozen)
    reference.train()
    torch.testing.assert_close(toy.results(runner)['deviation'], toy.results(reference)['deviation'])
    assert toy.results(runner)['deviation'].ne(0).all()
