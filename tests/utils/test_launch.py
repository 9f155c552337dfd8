"""Tests of what a launcher needs, with and without GPUs; this file is also the program of two ranks."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.registry import DATASETS, MODELS
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import Dataset

from mmfct.utils import launch
from mmfct.utils.launch import adapt_to_launcher, grace_seconds, init_launcher, is_restarted, leave_ranks

RANK_VARIABLES = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK', 'MASTER_ADDR', 'MASTER_PORT')
SLURM = dict(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_LOCALID='1')
MPI = dict(OMPI_COMM_WORLD_RANK='3', OMPI_COMM_WORLD_SIZE='4', OMPI_COMM_WORLD_LOCAL_RANK='1')


@MODELS.register_module(force=True)
class ToyRegression(BaseModel):
    """Linear layers with BN that torch has for GPUs only, as in many parts of the hosts."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(2, 3), nn.SyncBatchNorm(3), nn.Linear(3, 1))

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return dict(loss=(self.layers(inputs)[:, 0] - data_samples).square().mean())


@DATASETS.register_module(force=True)
class ToyNumbers(Dataset):
    """Another input for every index."""

    def __len__(self):
        return 8

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        return dict(inputs=torch.randn(2, generator=generator), data_samples=float(index))


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    for name in (*RANK_VARIABLES, *SLURM, *MPI, 'SLURM_NNODES', 'SLURM_NODELIST'):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def groups(monkeypatch):
    """Calls of the functions that make a process group, which here make none."""
    calls = []
    monkeypatch.setattr(
        torch.distributed, 'init_process_group', lambda *args, **options: calls.append((args, options))
    )
    return calls


def set_environment(monkeypatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def test_without_a_launcher_nothing_is_started(groups):
    init_launcher('none')
    assert groups == []


@pytest.mark.parametrize('gpu', [True, False])
def test_unknown_launcher_names_the_choices(monkeypatch, groups, gpu):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: gpu)
    with pytest.raises(ValueError, match="`launcher` must be 'none', 'pytorch', 'slurm' or 'mpi', got 'ray'"):
        init_launcher('ray')
    assert groups == []


@pytest.mark.parametrize(
    ('launcher', 'variables'), [('pytorch', dict(LOCAL_RANK='1')), ('slurm', SLURM), ('mpi', MPI)]
)
def test_with_gpus_nccl_is_started_on_the_gpu_of_the_rank(monkeypatch, no_gpu, groups, launcher, variables):
    devices = []
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(torch.cuda, 'set_device', devices.append)
    method = multiprocessing.get_start_method(allow_none=True)
    set_environment(monkeypatch, variables)
    init_launcher(launcher)
    ((arguments, options),) = groups
    assert arguments == ('nccl',) and devices == [1]
    assert options['timeout'] > timedelta(hours=12)  # nccl's own ten minutes are over before a shard is computed
    assert multiprocessing.get_start_method(allow_none=True) == method  # mmengine would choose `spawn`
    if launcher != 'pytorch':
        assert os.environ['MASTER_ADDR'] == '127.0.0.1'
        for name in RANK_VARIABLES:
            monkeypatch.delenv(name)


@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_with_gpus_too_a_launcher_must_have_started_the_process(monkeypatch, no_gpu, groups, launcher):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    with pytest.raises(ValueError, match=f'`launcher={launcher}` needs .* in the environment; start the command with'):
        init_launcher(launcher)
    assert groups == []


@pytest.mark.parametrize(('launcher', 'variables'), [('pytorch', {}), ('slurm', SLURM), ('mpi', MPI)])
def test_without_gpus_gloo_is_started(monkeypatch, no_gpu, groups, launcher, variables):
    set_environment(monkeypatch, variables)
    init_launcher(launcher)
    assert groups == [(('gloo',), dict(timeout=launch._TIMEOUT))]
    if variables:
        assert [os.environ[name] for name in RANK_VARIABLES] == ['3', '4', '1', '127.0.0.1', '29500']
        for name in RANK_VARIABLES:
            monkeypatch.delenv(name)


def test_a_single_process_goes_on():
    leave_ranks()  # or there would be no test after this one


def test_the_patience_of_a_cluster_is_a_number_of_seconds(monkeypatch):
    monkeypatch.delenv('MMFCT_GRACE_SECONDS', raising=False)
    assert grace_seconds() == 20
    monkeypatch.setenv('MMFCT_GRACE_SECONDS', '0.5')
    assert grace_seconds() == 0.5
    for text in ('a minute', '-1', 'nan', 'inf'):
        monkeypatch.setenv('MMFCT_GRACE_SECONDS', text)
        with pytest.raises(ValueError, match=f'must be a number of seconds, at least 0, got {text!r}'):
            grace_seconds()


@pytest.mark.parametrize('name', ['TORCHELASTIC_RESTART_COUNT', 'SLURM_RESTART_COUNT'])
def test_launchers_say_that_they_have_restarted_a_process(monkeypatch, name):
    for variable in ('TORCHELASTIC_RESTART_COUNT', 'SLURM_RESTART_COUNT'):
        monkeypatch.delenv(variable, raising=False)
    assert not is_restarted()
    monkeypatch.setenv(name, '0')
    assert not is_restarted()
    monkeypatch.setenv(name, '2')
    assert is_restarted()


def test_slurm_on_several_machines_meets_on_the_first(monkeypatch, no_gpu, groups, tmp_path):
    scontrol = tmp_path / 'scontrol'
    scontrol.write_text('#!/bin/sh\n[ "$*" = "show hostnames node[7-8]" ] && echo node7 && echo node8\n')
    scontrol.chmod(0o755)
    path = f'{tmp_path}{os.pathsep}{os.environ["PATH"]}'
    set_environment(monkeypatch, SLURM | dict(SLURM_NNODES='2', SLURM_NODELIST='node[7-8]', PATH=path))
    init_launcher('slurm')
    assert os.environ['MASTER_ADDR'] == 'node7'
    for name in RANK_VARIABLES:
        monkeypatch.delenv(name)
    set_environment(monkeypatch, dict(MASTER_ADDR='node9', MASTER_PORT='1234'))
    init_launcher('slurm')
    assert (os.environ['MASTER_ADDR'], os.environ['MASTER_PORT']) == ('node9', '1234')
    for name in RANK_VARIABLES:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(('launcher', 'starter', 'names'), [('slurm', 'srun', SLURM), ('mpi', 'mpirun', MPI)])
def test_a_process_that_the_launcher_did_not_start(no_gpu, launcher, starter, names):
    message = f'`launcher={launcher}` needs {", ".join(names)} in the environment; start the command with `{starter}`'
    with pytest.raises(ValueError, match=message):
        init_launcher(launcher)


def test_config_without_a_launcher_stays(no_gpu):
    config = Config(dict(sync_bn='torch'))
    adapt_to_launcher(config, 'none')
    assert config.to_dict() == dict(sync_bn='torch', launcher='none')


def test_config_with_gpus_stays(monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    config = Config(dict(sync_bn='torch', env_cfg=dict(dist_cfg=dict(backend='nccl'))))
    adapt_to_launcher(config, 'pytorch')
    assert config.to_dict() == dict(sync_bn='torch', launcher='pytorch', env_cfg=dict(dist_cfg=dict(backend='nccl')))


def test_config_without_gpus(no_gpu):
    env_cfg = dict(cudnn_benchmark=True, dist_cfg=dict(backend='nccl', timeout=60))
    config = Config(dict(sync_bn='torch', env_cfg=env_cfg, find_unused_parameters=True))
    adapt_to_launcher(config, 'pytorch')
    assert config.env_cfg == dict(cudnn_benchmark=True, dist_cfg=dict(backend='gloo', timeout=60))
    assert config.sync_bn is None
    # The rest is what mmengine's Runner would choose itself, but for synchronised BN.
    assert config.model_wrapper_cfg == dict(
        type='mmfct.CpuDistributedDataParallel',
        device_ids=None,
        broadcast_buffers=False,
        find_unused_parameters=True,
    )


def test_a_wrapper_in_the_config_is_kept(no_gpu):
    config = Config(dict(model_wrapper_cfg=dict(type='MMSeparateDistributedDataParallel', broadcast_buffers=True)))
    adapt_to_launcher(config, 'slurm')
    assert config.model_wrapper_cfg == dict(
        type='MMSeparateDistributedDataParallel', broadcast_buffers=True, device_ids=None
    )
    assert config.env_cfg == dict(dist_cfg=dict(backend='gloo'))


def test_two_ranks_train_one_model(run_ranks, tmp_path):
    run_ranks(__file__, folder=tmp_path)
    results = [json.loads((tmp_path / f'rank{rank}.json').read_text()) for rank in range(2)]
    assert [result['backend'] for result in results] == ['gloo', 'gloo']
    assert [result['wrapper'] for result in results] == ['CpuDistributedDataParallel'] * 2
    assert sorted(results[0]['samples'] + results[1]['samples']) == list(range(8))  # each rank saw its half
    assert results[0]['before'] == results[1]['before'] and results[0]['after'] == results[1]['after']
    assert results[0]['after'] != results[0]['before']


class SampleRecorder(Hook):
    """Keeps the targets that this rank saw."""

    def __init__(self):
        self.samples = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.samples += data_batch['data_samples'].tolist()


def train_on_this_rank(folder: str) -> None:
    """Train the toy model as one of several ranks and write what came of it."""
    torch.set_num_threads(1)
    init_launcher('pytorch')
    config = Config(
        dict(
            work_dir=folder,
            model=dict(type='ToyRegression'),
            train_dataloader=dict(
                batch_size=2,
                dataset=dict(type='ToyNumbers'),
                sampler=dict(type='DefaultSampler', shuffle=True),
                collate_fn=dict(type='default_collate'),
            ),
            train_cfg=dict(by_epoch=True, max_epochs=1),
            optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
            default_hooks=dict(logger=None, checkpoint=None),
            log_level='ERROR',
            sync_bn='torch',  # which torch has for GPUs only
            randomness=dict(seed=0),
        )
    )
    adapt_to_launcher(config, 'pytorch')
    runner = Runner.from_cfg(config)
    recorder = SampleRecorder()
    runner.register_hook(recorder)
    before = [parameter.tolist() for parameter in runner.model.parameters()]
    runner.train()
    result = dict(
        backend=torch.distributed.get_backend(),
        wrapper=type(runner.model).__name__,
        samples=recorder.samples,
        before=before,
        after=[parameter.tolist() for parameter in runner.model.parameters()],
    )
    (Path(folder) / f'rank{runner.rank}.json').write_text(json.dumps(result))
    leave_ranks()


if __name__ == '__main__':
    importlib.import_module('torchvision')
    rank = 0 if os.fork() else 1
    os.environ |= dict(RANK=str(rank), LOCAL_RANK=str(rank))
    train_on_this_rank(sys.argv[1])
