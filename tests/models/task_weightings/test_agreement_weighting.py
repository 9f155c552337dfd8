"""Tests of weights by label agreement; several ranks: test_weightings_ranks.py."""

from __future__ import annotations

import math

import pytest
import torch

from mmfct.functional.task_weighting import WEIGHT_FORMS
from mmfct.instances.comparison import Comparison
from mmfct.instances.module import InstanceModule
from mmfct.models.task_weightings import AgreementWeighting, TaskWeighting
from mmfct.registry import MODELS

FORMS = dict(a='gaussian', b='laplace', c='classification')
NAMES = [f'{i}.png' for i in range(5)]
ERRORS = dict(a=lambda x, y: (x - y).square(), b=lambda x, y: (x - y).abs(), c=lambda x, y: (x - y).abs().exp() - 1)


def build(**options) -> AgreementWeighting:
    return MODELS.build(dict(type='mmfct.AgreementWeighting', forms=FORMS, **options))


class Batch:
    """Predictions and labels (B, 3) of three tasks, and the losses between them; ``units`` are factors of these."""

    def __init__(self, size: int = 5, units: tuple[float, float, float] = (1.0, 1.0, 1.0), seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.outputs, self.targets = torch.randn(2, size, 3, generator=generator)
        self.annotated = torch.rand(size, 3, generator=generator) < 0.7
        self.annotated[0] = True
        self.annotated[3:4] = False
        self.functions = [self._function(name, unit) for name, unit in zip(FORMS, units, strict=True)]

    @staticmethod
    def _function(name, unit):
        return lambda outputs, targets: (unit * ERRORS[name](outputs, targets), targets.isfinite())

    @property
    def losses(self) -> torch.Tensor:
        return torch.stack([self.pair(t, i, i) for i in range(len(self.outputs)) for t in range(3)]).view(-1, 3)

    @property
    def comparisons(self) -> list[Comparison]:
        return [Comparison.of(self.functions[t], self.outputs[:, t], self.targets[:, t]) for t in range(3)]

    def pair(self, task: int, prediction: int, label: int) -> torch.Tensor:
        """The loss of a label under some prediction."""
        return self.functions[task](self.outputs[prediction, task], self.targets[label, task])[0]

    def run(self, module: AgreementWeighting, rows: torch.Tensor | None = None):
        module.set_instances(torch.ones_like(self.losses) if rows is None else rows, NAMES[: len(self.losses)])
        return module(self.losses, self.annotated, self.comparisons)


def loop_contrasts(batch: Batch, number: int = 7) -> torch.Tensor:
    """The contrasts in plain Python, one instance, task and other image after the other."""
    size = len(batch.outputs)
    found = torch.zeros(size, 3)
    for i in range(size):
        for t in range(3):
            own, ratios = batch.pair(t, i, i).item(), []
            for k in range(1, min(number, size - 1) + 1):
                other = batch.pair(t, (i + k) % size, i).item()
                ratios.append((own - other) / (own + other))
            found[i, t] = sum(ratios) / len(ratios)
    return found


@pytest.mark.parametrize('shared', [True, False])
def test_objective_and_weights_are_those_of_a_loop(shared):
    module, batch, rows = build(shared=shared), Batch(), torch.rand(5, 3) * 2
    if shared:
        with torch.no_grad():
            module.log_variance.normal_()
    objective, weights = batch.run(module, rows)
    expected = 0.0
    for t, form in enumerate(FORMS.values()):
        factor, exponent = WEIGHT_FORMS[form]
        s = module.log_variance[t].item()
        terms, used = [], []
        for i in range(5):
            if batch.annotated[i, t]:
                w, loss = rows[i, t].item(), batch.pair(t, i, i).item()
                scale = factor * math.exp(-exponent * s) if shared else 1.0
                terms.append(w * (scale * loss + s / 2))
                used.append(w * scale)
        expected += sum(terms) / len(terms)
        assert weights[t].item() == pytest.approx(sum(used) / len(used), rel=1e-5)
    assert objective.shape == () and objective.item() == pytest.approx(expected, rel=1e-5)
    torch.testing.assert_close(module.weights(rows), rows * (module.task_weights() if shared else 1))


@pytest.mark.parametrize('others', [1, 2, 7])
def test_contrasts_are_those_of_a_loop(others):
    module, batch = build(others=others), Batch()
    batch.run(module)
    report = module.pop_report()
    torch.testing.assert_close(report.values, loop_contrasts(batch, others) * batch.annotated, rtol=1e-4, atol=1e-6)
    assert torch.equal(report.annotated, batch.annotated)
    torch.testing.assert_close(report.losses, batch.losses.masked_fill(~batch.annotated, 0))
    assert not report.values.requires_grad and module.pop_report() is None


def test_gradients_of_losses_and_of_the_shared_part():
    module, batch, rows = build(), Batch(), torch.rand(5, 3)
    with torch.no_grad():
        module.log_variance.normal_()
    losses = batch.losses.requires_grad_()
    module.set_instances(rows, NAMES)
    module(losses, batch.annotated, batch.comparisons)[0].backward()
    counts = batch.annotated.sum(0)
    torch.testing.assert_close(losses.grad, module.weights(rows) * batch.annotated / counts)
    own = rows * (0.5 - module.exponent * module.task_weights() * losses.detach())
    torch.testing.assert_close(module.log_variance.grad, (own * batch.annotated).sum(0) / counts)


@pytest.mark.parametrize('unit', [1e-3, 1e3])
def test_the_unit_of_a_task_changes_neither_contrasts_nor_gradients(unit):
    found = []
    for units in ((1.0, 1.0, 1.0), (unit, unit, unit), (1.0, unit, 1.0)):
        module, batch, factor = build(), Batch(units=units), torch.ones(3, requires_grad=True)
        module.set_instances(torch.ones(5, 3), NAMES)
        objective, _ = module(batch.losses * factor, batch.annotated, batch.comparisons)
        objective.backward()
        start = module.log_variance.detach() - torch.tensor(units).log() / module.exponent
        found.append((module.pop_report().values, factor.grad, start))
    for other in found[1:]:
        for value, expected in zip(other, found[0], strict=True):
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-4)


def test_log_variances_start_where_the_first_losses_are_at_home_and_then_no_more():
    module, batch = build(), Batch()
    batch.annotated[:, 1] = False
    batch.run(module)
    start = module.log_variance.detach().clone()
    mean = [batch.losses[batch.annotated[:, t], t].mean().item() for t in (0, 2)]
    assert start.tolist() == pytest.approx([math.log(mean[0]), 0.0, math.log(2 * mean[1])], rel=1e-5)
    batch = Batch(seed=1)
    batch.run(module)
    assert torch.equal(module.log_variance[[0, 2]], start[[0, 2]])
    assert module.log_variance[1].item() == pytest.approx(
        2 * math.log(batch.losses[batch.annotated[:, 1], 1].mean().item())
    )


def test_a_batch_of_one_is_compared_with_the_predictions_before():
    module, batches = build(others=2), [Batch(1, seed=seed) for seed in range(4)]
    for place, batch in enumerate(batches):
        batch.run(module)
        values = module.pop_report().values[0]
        if place == 0:
            assert values.isnan().all()
            continue
        for t in range(3):
            own, ratios = batch.pair(t, 0, 0), []
            for before in batches[max(place - 2, 0) : place]:
                other, _ = batch.functions[t](before.outputs[0, t], batch.targets[0, t])
                ratios.append((own - other) / (own + other))
            torch.testing.assert_close(values[t], torch.stack(ratios).mean(), rtol=1e-4, atol=1e-6)


def test_predictions_before_of_another_size_are_passed_over():
    module = MODELS.build(dict(type='mmfct.AgreementWeighting', forms=dict(a='laplace')))

    def error(outputs, targets):
        return (outputs - targets).abs().flatten(1).mean(1), targets.flatten(1).isfinite().all(1)

    maps, values = [torch.rand(1, 1, *size) for size in ((4, 6), (6, 4), (4, 6), (4, 6))], []
    for output in maps:
        module.set_instances(torch.ones(1, 1), ['x.png'])
        comparison = Comparison.of(error, output, torch.zeros(1, 1, *output.shape[2:]))
        module(error(output, 0 * output)[0][:, None], torch.tensor([[True]]), [comparison])
        values.append(module.pop_report().values.item())
    assert [math.isnan(value) for value in values] == [True, True, False, False]
    own, first, second = (maps[i].mean().item() for i in (3, 0, 2))
    expected = ((own - first) / (own + first) + (own - second) / (own + second)) / 2
    assert values[3] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_an_instance_without_annotation_contributes_nothing(bad):
    results = []
    for rest in (0.5, bad):
        module, batch = build(), Batch()
        losses = batch.losses.masked_fill(~batch.annotated, rest).requires_grad_()
        module.set_instances(torch.full((5, 3), 0.7), NAMES)
        objective, weights = module(losses, batch.annotated, batch.comparisons)
        objective.backward()
        assert (losses.grad[~batch.annotated] == 0).all()
        report = module.pop_report()
        assert (report.values[~batch.annotated] == 0).all()
        results.append((objective, weights, losses.grad, module.log_variance.grad, report.values))
    for clean, dirty in zip(*results, strict=True):
        assert dirty.isfinite().all()
        torch.testing.assert_close(clean, dirty)


def test_a_task_without_annotation_in_a_whole_batch():
    module, batch = build(), Batch()
    batch.annotated[:, 1] = False
    losses = batch.losses.requires_grad_()
    module.set_instances(torch.ones(5, 3), NAMES)
    objective, weights = module(losses, batch.annotated, batch.comparisons)
    objective.backward()
    assert objective.isfinite() and weights[1] == 0
    assert (losses.grad[:, 1] == 0).all() and module.log_variance.grad[1] == 0


def test_evaluation_needs_no_comparisons_and_learns_nothing():
    module, batch = build().eval(), Batch()
    assert not module.needs_comparisons
    module.set_instances(torch.ones(5, 3), NAMES)
    module(batch.losses, batch.annotated)
    assert module.pop_report().values[batch.annotated].isnan().all() and not module.log_variance.any()
    module.keep_comparisons = True
    assert module.needs_comparisons
    batch.run(module)
    assert len(module.pop_comparisons()) == 3 and module.pop_comparisons() is None


def test_half_precision_losses_are_weighted_in_float32():
    batch, found = Batch(), []
    for half in (False, True):
        module = build()
        module.set_instances(torch.ones(5, 3), NAMES)
        losses = batch.losses.bfloat16()
        found.append(module(losses if half else losses.float(), batch.annotated, batch.comparisons)[0])
    assert found[1].dtype == torch.float32 and torch.equal(*found)


def test_it_is_both_a_weighting_and_a_module_with_rows():
    module = build()
    assert isinstance(module, TaskWeighting) and isinstance(module, InstanceModule)
    assert module.tasks == module.instance_tasks == tuple(FORMS) and module.needs_comparisons
    assert list(module.state_dict()) == ['log_variance']


@pytest.mark.parametrize(('shared', 'grad'), [(True, True), (False, False)])
def test_the_shared_part_is_a_parameter_of_the_network(shared, grad):
    (parameter,) = build(shared=shared).parameters()
    assert parameter.requires_grad == grad and torch.equal(parameter, torch.zeros(3))


def test_training_without_comparisons_is_refused():
    module, batch = build(), Batch()
    module.set_instances(torch.ones(5, 3), NAMES)
    with pytest.raises(
        ValueError, match='weights by agreement need the predictions and labels of a batch; use them in'
    ):
        module(batch.losses, batch.annotated)


def test_comparisons_of_other_tasks_are_refused():
    module, batch = build(), Batch()
    module.set_instances(torch.ones(5, 3), NAMES)
    with pytest.raises(ValueError, match='zip'):
        module(batch.losses, batch.annotated, batch.comparisons[:2])


@pytest.mark.parametrize('value', [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_named_by_file_and_task(value):
    module, batch = build(), Batch()
    losses, annotated = batch.losses, torch.ones(5, 3, dtype=torch.bool)
    losses[3, 1] = value
    module.set_instances(torch.ones(5, 3), NAMES)
    with pytest.raises(ValueError, match=f"the loss of task 'b' must be finite, got {value} for 3.png"):
        module(losses, annotated, batch.comparisons)


def test_without_the_hook_it_says_what_to_add():
    module, batch = build(), Batch()
    message = (
        r'instances of the batch are unknown; add `dict\(type="mmfct.InstanceTaskWeightHook"\)` to `custom_hooks`'
    )
    with pytest.raises(ValueError, match=message):
        module(batch.losses, batch.annotated, batch.comparisons)
    batch.run(module)
    module.pop_report()
    with pytest.raises(ValueError, match=message):  # rows serve one batch
        module(batch.losses, batch.annotated, batch.comparisons)


def test_rows_of_another_number_are_refused():
    module, batch = build(), Batch()
    module.set_instances(torch.ones(4, 3), NAMES[:4])
    with pytest.raises(ValueError, match=r'one loss for each instance that the hook found annotated, 4, got 5'):
        module(batch.losses, batch.annotated, batch.comparisons)


def test_options_out_of_range_are_refused():
    with pytest.raises(ValueError, match='`others` must be at least 1, got 0'):
        build(others=0)
    with pytest.raises(ValueError, match=r"`form` must be one of .*, got 'l2'"):
        MODELS.build(dict(type='mmfct.AgreementWeighting', forms=dict(depth='l2')))
