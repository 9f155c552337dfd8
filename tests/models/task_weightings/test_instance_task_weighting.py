"""Tests of learned weights per training instance and task."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.functional.task_weighting import WEIGHT_FORMS
from mmfct.instances.module import InstanceModule
from mmfct.models.task_weightings import EqualWeighting, InstanceTaskWeighting, TaskWeighting
from mmfct.registry import MODELS

FORMS = dict(a='gaussian', b='laplace', c='classification')
NAMES = [f'{i}.png' for i in range(5)]


def build(**options) -> InstanceTaskWeighting:
    return MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms=FORMS, **options))


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """Losses (5, 3), and what is annotated: every task somewhere, the last instance nowhere."""
    annotated = torch.rand(5, 3) < 0.6
    annotated[0], annotated[-1] = True, False
    return torch.rand(5, 3) * 3, annotated


def loop(losses, annotated, s) -> float:
    """The objective of the design, one task and instance after the other."""
    objective = 0.0
    for t, form in enumerate(FORMS.values()):
        factor, exponent = WEIGHT_FORMS[form]
        terms = [
            factor * math.exp(-exponent * s[i, t].item()) * losses[i, t].item() + s[i, t].item() / 2
            for i in range(len(losses))
            if annotated[i, t]
        ]
        objective += sum(terms) / len(terms)
    return objective


@pytest.mark.parametrize('options', [{}, dict(shared=False), dict(instance=False)])
def test_objective_is_that_of_a_loop(batch, options):
    module, d = build(**options), torch.randn(5, 3)
    with torch.no_grad():
        if options.get('shared', True):
            module.log_variance.normal_()
    s = module.log_variance.detach() + (d if options.get('instance', True) else 0)
    module.set_instances(d, NAMES)
    objective, weights = module(*batch)
    assert objective.shape == () and weights.shape == (3,)
    assert objective.item() == pytest.approx(loop(*batch, s.expand(5, 3)), rel=1e-5)
    for t, form in enumerate(FORMS.values()):
        factor, exponent = WEIGHT_FORMS[form]
        chosen = (factor * torch.exp(-exponent * s.expand(5, 3)[:, t]))[batch[1][:, t]]
        assert weights[t].item() == pytest.approx(chosen.mean().item(), rel=1e-5)


def test_parameters_of_zero_are_equal_weights_but_for_the_factors(batch):
    losses, annotated = batch
    factor = torch.tensor([WEIGHT_FORMS[form].factor for form in FORMS.values()])
    equal, ones = EqualWeighting(FORMS)(losses * factor, annotated)
    module = build(shared=False)
    module.set_instances(torch.zeros(5, 3), NAMES)
    objective, weights = module(losses, annotated)
    torch.testing.assert_close(objective, equal)
    torch.testing.assert_close(weights, factor)
    assert torch.equal(ones, torch.ones(3))


def test_without_the_instance_part_it_is_uncertainty_weighting(batch):
    # Kendall et al., equation 7 and 10: sum over tasks of k / sigma^2 L + log sigma, with a sigma per task.
    losses, annotated = batch[0][:, [0, 2]], torch.ones(5, 2, dtype=torch.bool)
    module = MODELS.build(
        dict(type='mmfct.InstanceTaskWeighting', forms=dict(depth='gaussian', seg='classification'), instance=False)
    )
    assert module.instance_tasks == ()
    with torch.no_grad():
        module.log_variance.normal_()
    sigma = (module.log_variance / 2).exp()
    means = losses.mean(0)
    expected = means[0] / (2 * sigma[0] ** 2) + sigma[0].log() + means[1] / sigma[1] ** 2 + sigma[1].log()
    objective, _ = module(losses, annotated)
    torch.testing.assert_close(objective, expected)
    assert module.pop_report() is None


def test_gradients_of_losses_and_of_the_shared_part(batch):
    losses, annotated = batch[0].requires_grad_(), batch[1]
    module, d = build(), torch.randn(5, 3)
    with torch.no_grad():
        module.log_variance.normal_()
    module.set_instances(d, NAMES)
    module(losses, annotated)[0].backward()
    counts = annotated.sum(0)
    torch.testing.assert_close(losses.grad, module.weights(d) * annotated / counts)
    own = 0.5 - module.exponent * module.weights(d) * losses.detach()
    torch.testing.assert_close(module.log_variance.grad, (own * annotated).sum(0) / counts)
    kept = module.pop_report()
    torch.testing.assert_close(kept.values, own * annotated)  # of the instance alone: not divided by the counts
    assert torch.equal(kept.annotated, annotated)
    torch.testing.assert_close(kept.losses[annotated], losses.detach()[annotated])
    assert not any(value.requires_grad for value in kept) and module.pop_report() is None


def test_a_shared_part_that_was_never_trained_starts_where_the_first_losses_are_at_home(batch):
    losses, annotated = batch
    annotated[:, 1] = False  # starts when there is something
    module = build()
    module.set_instances(torch.zeros(5, 3), NAMES)
    module(losses, annotated)
    start = module.log_variance.detach().clone()
    for t, form in enumerate(FORMS.values()):
        factor, exponent = WEIGHT_FORMS[form]
        mean = losses[:, t][annotated[:, t]].mean().item()
        expected = math.log(2 * exponent * factor * mean) / exponent if t != 1 else 0.0
        assert start[t].item() == pytest.approx(expected, rel=1e-5)
        if t != 1:  # there the gradient of the task's part is 0
            assert exponent * factor * math.exp(-exponent * start[t].item()) * mean == pytest.approx(0.5, rel=1e-5)
    annotated[:, 1] = True
    module.set_instances(torch.zeros(5, 3), NAMES)
    module(9 * losses, annotated)
    assert torch.equal(module.log_variance[[0, 2]], start[[0, 2]])  # and never again
    assert module.log_variance[1].item() == pytest.approx(2 * math.log(9 * losses[:, 1].mean().item()), rel=1e-5)


@pytest.mark.parametrize('options', [dict(shared=False), dict(training=False)])
def test_a_shared_part_that_is_not_learned_has_no_start(batch, options):
    module = build(shared=options.get('shared', True)).train(options.get('training', True))
    module.set_instances(torch.zeros(5, 3), NAMES)
    module(*batch)
    assert not module.log_variance.any()


@pytest.mark.parametrize(('shared', 'grad'), [(True, True), (False, False)])
def test_the_shared_part_is_a_parameter_of_the_network(shared, grad):
    (parameter,) = build(shared=shared).parameters()
    assert parameter.requires_grad == grad and torch.equal(parameter, torch.zeros(3))
    assert list(build(shared=shared).state_dict()) == ['log_variance']


def test_it_is_both_a_weighting_and_a_module_with_rows():
    module = build()
    assert isinstance(module, TaskWeighting) and isinstance(module, InstanceModule)
    assert module.tasks == module.instance_tasks == tuple(FORMS) and not module.needs_comparisons
    module.keep_comparisons = True  # as somebody who looks for wrong labels sets it
    assert module.needs_comparisons


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_an_instance_without_annotation_contributes_nothing(batch, bad):
    losses, annotated = batch
    results = []
    for rest in (0.5, bad):
        values = losses.masked_fill(~annotated, rest).requires_grad_()
        module = build()
        module.set_instances(torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), NAMES)
        objective, weights = module(values, annotated)
        objective.backward()
        assert (values.grad[~annotated] == 0).all()
        kept = module.pop_report()
        assert (kept.values[~annotated] == 0).all()
        results.append((objective, weights, values.grad, module.log_variance.grad, kept.values))
    for clean, dirty in zip(*results, strict=True):
        assert dirty.isfinite().all()
        torch.testing.assert_close(clean, dirty)


def test_a_task_without_annotation_in_a_whole_batch(batch):
    losses, annotated = batch[0].requires_grad_(), batch[1].clone()
    annotated[:, 1] = False
    module = build()
    module.set_instances(torch.randn(5, 3), NAMES)
    objective, weights = module(losses, annotated)
    objective.backward()
    assert objective.isfinite() and weights[1] == 0 and module.log_variance[1] == 0
    assert (losses.grad[:, 1] == 0).all() and module.log_variance.grad[1] == 0
    assert (module.log_variance.grad[[0, 2]] != 0).all()


def test_half_precision_losses_are_weighted_in_float32(batch):
    losses, annotated = batch
    module, d = build(), torch.randn(5, 3)
    module.set_instances(d, NAMES)
    exact, _ = module(losses.bfloat16().float(), annotated)
    module.set_instances(d, NAMES)
    half, _ = module(losses.bfloat16(), annotated)
    assert half.dtype == torch.float32 and torch.equal(half, exact)


@pytest.mark.parametrize('value', [math.nan, -math.inf])
def test_a_loss_that_is_not_finite_is_named_by_file_and_task(batch, value):
    losses, annotated = batch[0], torch.ones(5, 3, dtype=torch.bool)
    losses[3, 1] = value
    module = build()
    module.set_instances(torch.zeros(5, 3), NAMES)
    with pytest.raises(ValueError, match=f"the loss of task 'b' must be finite, got {value} for 3.png"):
        module(losses, annotated)
    with pytest.raises(
        ValueError, match=f"the loss of task 'b' must be finite, got {value} for instance 3 of the batch"
    ):
        build(instance=False)(losses, annotated)


def test_without_the_hook_it_says_what_to_add(batch):
    module = build()
    message = (
        r'instances of the batch are unknown; add `dict\(type="mmfct.InstanceTaskWeightHook"\)` to `custom_hooks`'
    )
    with pytest.raises(ValueError, match=message):
        module(*batch)
    module.set_instances(torch.zeros(5, 3), NAMES)
    module(*batch)
    module.pop_report()
    with pytest.raises(ValueError, match=message):  # rows serve one batch
        module(*batch)


def test_rows_of_another_number_are_refused(batch):
    module = build()
    module.set_instances(torch.zeros(4, 3), NAMES[:4])
    with pytest.raises(
        ValueError, match=r'one loss for each instance that the hook found annotated, 4, got 5; in a head'
    ):
        module(*batch)


def test_neither_part_is_refused():
    with pytest.raises(
        ValueError, match='`shared` or `instance` must be true; for equal weights use mmfct.EqualWeigh'
    ):
        build(shared=False, instance=False)


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match=r"`form` must be one of .*, got 'l2'"):
        MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms=dict(depth='l2')))


def test_a_loss_that_is_called_several_times_reports_its_mean(batch):
    losses, annotated = batch
    other = annotated.clone()
    other[2] = ~other[2]
    module, once = build(), build()
    rows = torch.randn(5, 3)
    module.set_instances(rows, NAMES)
    total = sum(module(losses * scale, flags)[0] for scale, flags in ((1, annotated), (3, other)))
    reports = []
    for scale, flags in ((1, annotated), (3, other)):
        once.set_instances(rows, NAMES)
        total = total - once(losses * scale, flags)[0]
        reports.append(once.pop_report())
    assert total.abs() < 1e-5
    kept = module.pop_report()
    assert torch.equal(kept.annotated, annotated | other)
    for i in range(5):
        for t in range(3):
            seen = [report for report in reports if report.annotated[i, t]]
            for values, name in ((kept.values, 'values'), (kept.losses, 'losses')):
                expected = sum(getattr(report, name)[i, t].item() for report in seen) / max(len(seen), 1)
                assert values[i, t].item() == pytest.approx(expected, rel=1e-5, abs=1e-6)
    module.set_instances(rows, NAMES)
    module(losses, annotated)
    module.set_instances(rows, NAMES)  # of a batch that nobody collected
    assert module.pop_report() is None


def test_logged_weights_do_not_depend_on_how_labels_are_spread_over_ranks():
    module = MODELS.build(dict(type='mmfct.InstanceTaskWeighting', forms=dict(a='classification')))
    module.eval()  # in training the scale of the task starts at the losses
    losses, annotated = torch.rand(3, 1), torch.tensor([[True], [True], [False]])
    rows = torch.tensor([[0.2], [-0.4], [9.0]])
    module.set_instances(rows, NAMES[:3], torch.tensor(1.0))  # another rank has no label at all: the mean is 1
    objective, weights = module(losses, annotated)
    expected = (-rows[:2]).exp()
    assert weights.item() == pytest.approx(expected.mean().item())
    assert objective.item() == pytest.approx((expected * losses[:2] + rows[:2] / 2).sum().item())
