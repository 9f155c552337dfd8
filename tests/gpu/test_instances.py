"""What is kept per training instance lives on the GPU; half precision, accumulation and resuming do not harm it."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from mmfct.engine.hooks import InstanceTaskWeightHook

TOY = Path(__file__).parents[1] / 'engine/hooks/toy_instances.py'
CASES = list(runpy.run_path(str(TOY))['RANK_CASES'])
# The first step overflows, the second one does not.
OVERFLOWS = dict(
    type='AmpOptimWrapper', dtype='float16', loss_scale=dict(init_scale=2.0**100, backoff_factor=2.0**-100)
)


@pytest.fixture
def toy(device) -> SimpleNamespace:
    """The network, data set and Runner of the tests of the hooks."""
    return SimpleNamespace(**runpy.run_path(str(TOY)))


@pytest.mark.parametrize('case', CASES)
def test_a_training_is_that_of_the_cpu(toy, device, on_cpu, tmp_path, case):
    runner = toy.make_runner(str(tmp_path / 'there'), **toy.RANK_CASES[case])
    runner.train()
    assert next(runner.model.parameters()).device == toy.table_of(runner).rows.device == device
    with on_cpu():
        here = toy.make_runner(str(tmp_path / 'here'), **toy.RANK_CASES[case])
        here.train()
    found, expected = toy.results(runner), toy.results(here)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name].cpu(), value, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize('agreement', [False, True])
def test_a_store_that_was_left_on_the_cpu_is_found(toy, tmp_path, monkeypatch, agreement):
    make_store = InstanceTaskWeightHook.make_store
    on_the_cpu = lambda hook, modules, keys, device: make_store(hook, modules, keys, torch.device('cpu'))  # noqa: E731
    monkeypatch.setattr(InstanceTaskWeightHook, 'make_store', on_the_cpu)
    with pytest.raises(RuntimeError, match='same device'):
        toy.make_runner(str(tmp_path), agreement=agreement).train()


@pytest.mark.parametrize('agreement', [False, True])
@pytest.mark.parametrize('counts', [1, 2])
def test_a_step_of_the_network_that_overflows_is_none_that_the_instances_miss(
    toy, on_cpu, tmp_path, agreement, counts
):
    options = dict(agreement=agreement, size=16, epochs=3)
    still = dict(optimizer=dict(type='SGD', lr=0.0), accumulative_counts=counts)  # the table alone learns
    runner = toy.make_runner(str(tmp_path / 'half'), optim_wrapper=OVERFLOWS | still, **options)
    runner.train()
    assert runner.optim_wrapper.loss_scaler.get_scale() <= 2  # it has overflown
    with on_cpu():
        exact = toy.make_runner(str(tmp_path / 'exact'), optim_wrapper=still, **options)
        exact.train()
    found, expected = (toy.table_of(each).state_dict() for each in (runner, exact))
    assert torch.equal(found['visits'], expected['visits'])
    name = 'contrast_sum' if agreement else 'deviation'
    assert found[name].dtype == torch.float32 and expected[name].abs().max() > 0.1
    torch.testing.assert_close(found[name], expected[name], rtol=0.01, atol=0.01)


class Interrupt(Hook):
    """Ends the process, as it were, in the middle of the third epoch."""

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.epoch == 2 and batch_idx == 1:
            raise KeyboardInterrupt


@pytest.mark.parametrize('agreement', [False, True])
def test_a_resumed_training_in_half_precision_ends_as_one_that_was_not_interrupted(toy, device, tmp_path, agreement):
    options = dict(
        agreement=agreement,
        epochs=4,
        checkpoint=True,
        optim_wrapper=OVERFLOWS | dict(accumulative_counts=2),
        hook={} if agreement else dict(momentum=0.5),
    )
    whole = toy.make_runner(str(tmp_path / 'whole'), **options)
    whole.train()
    part = toy.make_runner(str(tmp_path / 'part'), **options, hooks=[Interrupt()])
    with pytest.raises(KeyboardInterrupt):
        part.train()
    resumed = toy.make_runner(str(tmp_path / 'part'), **options, resume=True)
    resumed.train()
    assert toy.table_of(resumed).rows.device == device
    expected, outcome = toy.results(whole), toy.results(resumed)
    for name, value in expected.items():
        torch.testing.assert_close(outcome[name], value, rtol=1e-5, atol=1e-6, msg=name)
