"""What the base of the hooks leaves to a subclass: weights from statistics, with no gradient, are another store."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from mmfct.engine.hooks.instance_hook import InstanceHook, instance_key
from mmfct.instances.module import InstanceModule
from mmfct.instances.store import InstanceStore


class ToyCountedWeighting(InstanceModule):
    """Multiplies losses with the weights that come as rows, and reports a statistic of each instance."""

    def __init__(self, forms: dict[str, str]) -> None:
        super().__init__(tuple(forms))

    def weights(self, rows):
        return rows

    def forward(self, losses, annotated):
        rows = self.take_rows(len(losses))
        self.report(losses.detach() - 1, annotated, losses)
        return self.means(rows * losses, annotated).sum(), self.means(rows, annotated)


class ToyStatistics(InstanceStore):
    """Adds up the statistics; weights are 1 until they are refit."""

    def __init__(self, modules, keys, device) -> None:
        super().__init__(modules, keys, track_losses=True, device=device)
        self.sums, self.refits = torch.zeros(len(keys), len(self.tasks)), 0
        self._rows = torch.ones_like(self.sums)
        self.counts = 0

    @property
    def rows(self):
        return self._rows

    def step(self):
        rows, report = self._exchange.take_reports()
        self.sums.index_add_(0, rows, report.values)
        self.counts += len(rows)

    def end_epoch(self):
        self._rows = (-self.sums).sigmoid()
        self.refits += 1

    def learned_state(self) -> dict[str, Any]:
        return dict(sums=self.sums, rows=self._rows)

    def load_learned_state(self, state):
        self.sums, self._rows = state['sums'], state['rows']


class ToyStatisticsHook(InstanceHook):
    """Keeps the statistics; the base has them refit after every epoch."""

    module_type = ToyCountedWeighting

    def make_store(self, modules, keys, device):
        return ToyStatistics(modules, keys, device)


@pytest.fixture
def run(toy, tmp_path):
    """Function that trains the toy model with weights from statistics, and returns the store and the model."""

    def train(epochs: int, resume: bool = False) -> tuple[ToyStatistics, torch.nn.Module]:
        hook = dict(type=ToyStatisticsHook, histogram=False)
        weighting = dict(type=ToyCountedWeighting)
        runner = toy.make_runner(
            str(tmp_path),
            model=toy.ToyTasks(weighting),
            custom_hooks=[hook],
            epochs=epochs,
            checkpoint=True,
            resume=resume,
        )
        runner.train()
        (hook,) = [hook for hook in runner.hooks if isinstance(hook, ToyStatisticsHook)]
        return hook.table, runner.model

    return train


def test_statistics_are_collected_and_refit_after_every_epoch(run):
    store, _ = run(2)
    state = store.state_dict()
    assert store.refits == 2 and store.counts == 24 and state['visits'].unique().tolist() == [2]
    torch.testing.assert_close(store.sums, state['loss_sum'] - state['visits'])
    assert store.weights().unique().numel() > 2 and torch.equal(store.weights(), (-store.sums).sigmoid())


def test_a_resumed_training_goes_on_with_them(run):
    run(1)
    resumed, model = run(2, resume=True)
    assert resumed.refits == 1 and resumed.state_dict()['visits'].unique().tolist() == [2]
    assert model.weighting.pop_report() is None


def test_the_hook_of_parameters_does_not_take_other_modules(toy, tmp_path):
    runner = toy.make_runner(str(tmp_path), model=toy.ToyTasks(dict(type=ToyCountedWeighting)))
    with pytest.raises(ValueError, match='got none in ToyTasks; .* leave the hook and `suspects` out'):
        runner.train()


def test_two_hooks_of_a_kind_are_refused(toy, tmp_path):
    runner = toy.make_runner(str(tmp_path), hooks=[dict(type='mmfct.InstanceTaskWeightHook')])
    with pytest.raises(ValueError, match='`custom_hooks` must have one InstanceTaskWeightHook, got several'):
        runner.train()


@pytest.mark.parametrize(
    ('hooks', 'key'),
    [
        ([], 'img_path'),
        ([dict(type='EmptyCacheHook', key='x'), dict(type='mmfct.InstanceTaskWeightHook')], 'img_path'),
        ([dict(type='InstanceTaskWeightHook', key='sample_idx')], 'sample_idx'),
        ([dict(type=ToyStatisticsHook, key='sample_idx')], 'sample_idx'),
        ([dict(type='NobodyKnowsThisHook', key='x')], 'img_path'),
    ],
)
def test_the_key_is_that_of_the_hook_in_a_config(hooks, key):
    assert instance_key(hooks) == key
