"""Trainings that are told to terminate."""

from __future__ import annotations

import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from mmengine.hooks import Hook

from mmfct.engine.hooks import TerminationHook, termination_hook

BY_EPOCH = dict(train_cfg=dict(by_epoch=True, max_epochs=4))
BY_ITERATION = dict(
    train_cfg=dict(by_epoch=False, max_iters=9, val_interval=100), sampler=dict(type='InfiniteSampler', shuffle=True)
)


class Terminate(Hook):
    """Sends SIGTERM to this process, or to its workers too, in the middle of its second epoch."""

    def __init__(self, times: int = 1, *, workers: bool = False) -> None:
        self.times, self.workers = times, workers

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == 4:
            workers = multiprocessing.active_children() if self.workers else []
            assert bool(workers) == self.workers
            for process in [*(worker.pid for worker in workers), *self.times * [os.getpid()]]:
                os.kill(process, signal.SIGTERM)


@pytest.fixture
def train(toy, tmp_path):
    """Function that trains, and returns the weights of network and instances if the training comes to its end."""

    def run(loop: dict, *hooks: Hook, grace: float = 20.0, work: str = 'work', checkpoint: bool = True, **options):
        saves = dict(type='CheckpointHook', interval=100, by_epoch=loop['train_cfg']['by_epoch'], save_last=False)
        default_hooks = dict(logger=None, timer=None, checkpoint=saves if checkpoint else None)
        termination = TerminationHook(grace)
        runner = toy.make_runner(
            str(tmp_path / work), hooks=[*hooks, termination], **loop, default_hooks=default_hooks, **options
        )
        before = signal.getsignal(signal.SIGTERM)
        try:
            with termination.listening():
                runner.train()
        finally:
            assert signal.getsignal(signal.SIGTERM) == before
        return toy.results(runner)

    return run


def saved(folder) -> list[str]:
    return sorted(file.name for file in folder.glob('*.pth'))


@pytest.mark.parametrize(('loop', 'file'), [(BY_EPOCH, 'epoch_2.pth'), (BY_ITERATION, 'iter_6.pth')])
def test_it_saves_as_soon_as_it_can_be_resumed_and_leaves(train, tmp_path, loop, file):
    with pytest.raises(SystemExit) as left:
        train(loop, Terminate())
    assert left.value.code == 143
    assert saved(tmp_path / 'work') == [file]
    resumed = train(loop, load_from=str(tmp_path / 'work' / file), resume=True)
    assert all(torch.equal(value, resumed[name]) for name, value in train(loop, work='whole').items())


@pytest.mark.parametrize('options', [dict(grace=0.0), dict(checkpoint=False)])
def test_an_epoch_that_takes_too_long_or_cannot_be_saved_is_left(train, tmp_path, options):
    with pytest.raises(SystemExit) as left:
        train(BY_EPOCH, Terminate(), **options)
    assert left.value.code == 143 and saved(tmp_path / 'work') == []


def test_the_same_notice_may_come_twice(train, tmp_path):
    with pytest.raises(SystemExit):
        train(BY_EPOCH, Terminate(times=2))
    assert saved(tmp_path / 'work') == ['epoch_2.pth']


def test_a_second_notice_ends_the_process_at_once(train, tmp_path, monkeypatch):
    monkeypatch.setattr(termination_hook, '_SAME_NOTICE', -1.0)
    with pytest.raises(SystemExit) as left:
        train(BY_EPOCH, Terminate(times=2))
    assert left.value.code == 143 and saved(tmp_path / 'work') == []


def test_workers_of_the_loader_do_not_hear_the_notice(train, tmp_path, toy):
    loader = dict(
        batch_size=4,
        num_workers=1,
        dataset=toy.ToyInstances(),
        sampler=dict(type='DefaultSampler', shuffle=False),
        collate_fn=dict(type='default_collate'),
    )
    with pytest.raises(SystemExit):
        train(BY_EPOCH, Terminate(workers=True), train_dataloader=loader)
    assert saved(tmp_path / 'work') == ['epoch_2.pth']


def test_outside_the_main_thread_signals_are_left_alone():
    def listen() -> bool:
        with TerminationHook().listening():
            return signal.getsignal(signal.SIGTERM) == before

    before = signal.getsignal(signal.SIGTERM)
    with ThreadPoolExecutor() as pool:
        assert pool.submit(listen).result()
