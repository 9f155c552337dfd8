"""Tests of the means of contrasts of all training instances; training with them is tested with the hook."""

from __future__ import annotations

import pytest
import torch
from mmengine.structures import BaseDataElement

from mmfct.functional.label_agreement import agreement_weights
from mmfct.instances.agreement import AgreementStore
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.module import InstanceModule
from mmfct.models.task_weightings import InstanceTaskWeighting

MEMORY = 0.8
TASKS = ('seg', 'depth')


class ToyContrasts(InstanceModule):
    """Reports contrasts that it is given."""

    def weights(self, rows):
        return 2 * rows

    def step(self, values: torch.Tensor, annotated: torch.Tensor | None = None) -> torch.Tensor:
        rows = self.take_rows(len(values))
        every = torch.ones_like(values, dtype=torch.bool)
        self.report(values, every if annotated is None else annotated, torch.ones_like(values))
        return rows


def build(*modules, size: int = 6, **options) -> AgreementStore:
    keys = InstanceKeys(range(size), field='sample_idx')
    return AgreementStore(modules, keys, **dict(dict(track_losses=True, device='cpu'), **options))


def run(store: AgreementStore, module: ToyContrasts, rows: list[int], *report) -> torch.Tensor:
    """A forward pass of a batch; returns the weights that the module was given."""
    store.set_batch([BaseDataElement() for _ in rows], rows)
    weights = module.step(*report)
    store.collect()
    return weights


@pytest.fixture
def module() -> ToyContrasts:
    return ToyContrasts(TASKS)


def test_means_with_a_memory_are_those_of_a_plain_loop(module):
    store, generator = build(module), torch.Generator().manual_seed(0)
    visits: dict[tuple[int, int], list[float]] = {}
    for step in range(12):
        noted: dict[tuple[int, int], list[float]] = {}
        for _ in range(1 + step % 2):  # some steps have two batches
            rows = torch.randint(5, (6,), generator=generator)  # duplicates, and an instance that never comes
            values = torch.rand(6, 2, generator=generator) * 2 - 1
            annotated = torch.rand(6, 2, generator=generator) < 0.7
            values[0, 0] = torch.nan  # no other prediction
            run(store, module, rows.tolist(), values, annotated)
            for b, row in enumerate(rows.tolist()):
                for t in range(2):
                    if annotated[b, t] and not values[b, t].isnan():
                        noted.setdefault((row, t), []).append(values[b, t].item())
        store.step()
        for place, found in noted.items():
            visits.setdefault(place, []).append(sum(found) / len(found))
    means = store.contrasts()
    for i in range(6):
        for t in range(2):
            past = visits.get((i, t), [])
            ages = [MEMORY**age for age in reversed(range(len(past)))]  # the last visit counts most
            if past:
                expected = sum(age * value for age, value in zip(ages, past, strict=True)) / sum(ages)
                assert means[i, t].item() == pytest.approx(expected, rel=1e-4, abs=1e-6)
            else:
                assert means[i, t].isnan()
    assert max(map(len, visits.values())) > 5 and means[5].isnan().all()


def test_weights_are_one_until_an_epoch_ends_and_those_of_the_fit_then(module):
    store, rows = build(module, size=40), list(range(39))  # the last instance never comes
    values = torch.cat([torch.full((30, 2), -0.5), torch.full((9, 2), 0.2)]) + 0.02 * torch.randn(39, 2)
    annotated = torch.ones(39, 2, dtype=torch.bool)
    annotated[3, 1] = False
    assert run(store, module, rows, values, annotated).eq(1).all() and store.shares.isnan().all()
    store.step()
    assert store.weights().eq(2).all()
    store.end_epoch()
    for t in range(2):
        known = annotated[:, t].numpy()
        expected, share = agreement_weights(values[known, t].double().numpy())
        assert store.shares[t].item() == pytest.approx(share, rel=1e-5)
        weights = store.weights()[:39, t].numpy() / 2
        assert weights[known] == pytest.approx(expected, rel=1e-3, abs=1e-3)
        assert weights[known].mean() == pytest.approx(1)
        assert weights[:30][known[:30]].min() > 5 * weights[30:].max()
    assert store.weights()[3, 1] == 2 and store.weights()[39].tolist() == [2, 2]  # nothing is known
    given = run(store, module, rows, values, annotated)
    assert torch.equal(2 * given, store.weights()[:39])


def test_in_a_second_pass_weights_are_multiplied_by_those_of_the_first(module):
    prior = torch.rand(40, 2, generator=torch.Generator().manual_seed(0)) + 0.1
    values = torch.cat([torch.full((30, 2), -0.5), torch.full((10, 2), 0.2)]) + 0.02 * torch.randn(40, 2)
    first, second = build(module, size=40), build(module, size=40, prior=prior)
    assert torch.equal(second.weights(), 2 * prior)
    for store in (first, second):
        run(store, module, list(range(40)), values)
        store.step()
        store.end_epoch()
    expected = first.weights() * prior
    assert torch.allclose(second.weights(), 2 * expected / expected.mean(dim=0)) and first.weights().std() > 0.1
    resumed = build(module, size=40, prior=torch.ones(40, 2))  # the table of suspects may be another one by then
    resumed.load_state_dict(second.state_dict())
    resumed.end_epoch()
    assert torch.equal(resumed.weights(), second.weights())


@pytest.mark.parametrize(('saved', 'own'), [('second', 'first'), ('first', 'second')])
def test_a_second_pass_does_not_go_on_with_a_first_one(module, saved, own):
    stores = dict(first=build(module), second=build(module, prior=torch.full((6, 2), 0.5)))
    with pytest.raises(ValueError, match=f'is of a {saved} pass, this training is a {own} one: resume with the same'):
        stores[own].load_state_dict(stores[saved].state_dict())


def test_a_task_without_any_label_keeps_its_weights(module):
    store = build(module)
    run(store, module, [0, 1], torch.tensor([[-0.5, 0.0], [0.5, 0.0]]), torch.tensor([[True, False], [True, False]]))
    store.step()
    store.end_epoch()
    assert store.weights()[:, 1].eq(2).all() and store.shares[1].isnan() and not store.shares[0].isnan()


def test_an_epoch_without_a_step_changes_nothing(module):
    store = build(module)
    store.step()
    store.end_epoch()
    assert store.weights().eq(2).all() and store.contrasts().isnan().all()


def test_modules_share_a_store_by_columns(module):
    other = ToyContrasts(('aux',))
    store = build(module, other)
    assert store.tasks == ('seg', 'depth', 'aux')
    store.set_batch([BaseDataElement()] * 2, [4, 1])
    other.step(torch.tensor([[0.5], [-0.5]]))
    store.collect()
    store.step()
    assert store.contrasts()[[4, 1], 2].tolist() == [0.5, -0.5]
    assert store.contrasts()[:, :2].isnan().all()


def test_a_state_is_restored_and_goes_on_the_same(module):
    stores = [build(module, size=40) for _ in range(2)]
    values = torch.rand(40, 2) - 0.7
    run(stores[0], module, list(range(40)), values)
    stores[0].step()
    stores[0].end_epoch()
    state = stores[0].state_dict()
    assert {name: state[name].shape for name in ('contrast_sum', 'contrast_count', 'instance_weight', 'weight')} == {
        name: (40, 2) for name in ('contrast_sum', 'contrast_count', 'instance_weight', 'weight')
    }
    assert torch.equal(state['weight'], 2 * state['instance_weight']) and state['share'].shape == (2,)
    assert state['visits'].eq(1).all() and state['tasks'] == list(TASKS)
    stores[1].load_state_dict(state)
    for store in stores:
        run(store, module, [3, 7], torch.tensor([[0.1, 0.2], [0.3, 0.4]]))
        store.step()
        store.end_epoch()
    first, second = (store.state_dict() for store in stores)
    for name, value in first.items():
        assert torch.equal(value, second[name]) if isinstance(value, torch.Tensor) else value == second[name]


def test_losses_are_kept_only_where_asked_for(module):
    assert not {'loss_sum', 'visits'} & set(build(module, track_losses=False).state_dict())


def test_the_state_of_another_training_set_or_other_tasks_is_refused(module):
    store = build(module)
    with pytest.raises(ValueError, match='belongs to another training set: the checkpoint has sha256:'):
        store.load_state_dict(build(module, size=7).state_dict())
    with pytest.raises(ValueError, match=r"parameters of tasks \['aux'\], the model \['seg', 'depth'\]"):
        store.load_state_dict(build(ToyContrasts(('aux',))).state_dict())


def test_the_state_of_the_other_kind_is_refused_both_ways(module):
    from mmfct.instances.table import InstanceTable

    parameters = InstanceTaskWeighting(dict.fromkeys(TASKS, 'laplace'))
    options = dict(lr=1.0, momentum=0.0, decay=0.0, max_factor=20.0, track_losses=True, device='cpu')
    table = InstanceTable([parameters], InstanceKeys(range(6), field='sample_idx'), **options)
    store = build(module)
    with pytest.raises(ValueError, match='checkpoint has weights learned by gradient descent, the model weights by'):
        store.load_state_dict(table.state_dict())
    with pytest.raises(ValueError, match='checkpoint has weights by agreement, the model parameters that are trained'):
        table.load_state_dict(store.state_dict())


def test_two_modules_with_a_task_of_one_name_are_refused(module):
    with pytest.raises(ValueError, match=r"`task` must be unique in a model, got \('seg', 'depth', 'seg'\)"):
        build(module, ToyContrasts(('seg',)))


def test_a_step_touches_no_more_in_a_larger_store(module, tensor_sizes):
    sizes = []
    for size in (100, 20_000):
        store = build(module, size=size)
        with tensor_sizes() as seen:
            run(store, module, [size - 1, *range(31)], torch.rand(32, 2))
            store.step()
        assert store.contrasts()[size - 1].isfinite().all()
        sizes.append((seen.outputs, seen.inputs))
    assert sizes[0] == sizes[1] and max(sizes[0][0]) <= 32 * 7
