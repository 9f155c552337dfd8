"""Weightings on two real gloo processes: the objective and the mean gradient of one process on the global batch.

This file is also the program that the two processes run.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from mmfct.engine.launch import leave_ranks
from mmfct.registry import MODELS

FORMS = dict(seg='classification', depth='laplace', pose='gaussian')
WEIGHTINGS = {
    'equal': dict(type='mmfct.EqualWeighting'),
    'fixed': dict(type='mmfct.FixedWeighting', weights=dict(seg=1.0, depth=0.5, pose=2.0)),
    'dwa': dict(type='mmfct.DynamicWeightAverage'),
    'rlw': dict(type='mmfct.RandomLossWeighting', seed=5),
    'gls': dict(type='mmfct.GeometricLossStrategy'),
}
if importlib.util.find_spec('torchjd'):
    WEIGHTINGS['stch'] = dict(type='mmfct.TorchJDWeighting', scalarizer='STCH', options=dict(mu=0.5))
    WEIGHTINGS['uw'] = dict(type='mmfct.TorchJDWeighting', scalarizer='UW')


def run(name: str, rank: int, world_size: int) -> list:
    """Objective, weights and gradients of three epochs, and the state afterwards; a rank has every other instance."""
    generator = torch.Generator().manual_seed(0)
    losses = torch.rand(3, 10, 3, generator=generator) * torch.tensor([1.0, 0.1, 5.0]) + 0.01
    annotated = torch.rand(10, 3, generator=generator) < 0.6
    annotated[1::2, 1] = False  # the second rank has no depth at all
    annotated[0, 1] = True
    weighting = MODELS.build(dict(WEIGHTINGS[name], forms=FORMS))
    found = []
    for epoch in range(3):
        weighting.set_epoch(epoch)
        factor = torch.ones(3, requires_grad=True)  # a network of one parameter per task
        share = losses[epoch, rank::world_size] * factor
        objective, weights = weighting(share, annotated[rank::world_size])
        objective.backward()
        values = [objective.detach()[None], factor.grad, *(parameter.grad for parameter in weighting.parameters())]
        if world_size > 1:
            for value in values:  # as DDP does
                dist.all_reduce(value)
                value /= world_size
        found += [weights.tolist(), *(value.tolist() for value in values)]
    return found + [value.tolist() for value in weighting.state_dict().values()]


@pytest.fixture(scope='module')
def ranks(tmp_path_factory) -> list[dict]:
    """What each of two processes gets."""
    folder = tmp_path_factory.mktemp('ranks')
    workers = [
        subprocess.Popen([sys.executable, __file__, str(folder), str(rank)], stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        errors = [worker.communicate(timeout=120)[1] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    for worker, error in zip(workers, errors, strict=True):
        assert worker.returncode == 0, error
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in range(2)]


@pytest.mark.parametrize('name', WEIGHTINGS)
def test_two_ranks_equal_one_process(ranks, name):
    expected = [torch.tensor(value) for value in run(name, 0, 1)]
    for rank in ranks:
        found = [torch.tensor(value) for value in rank[name]]
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


if __name__ == '__main__':
    folder, rank = Path(sys.argv[1]), int(sys.argv[2])
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    found = {name: run(name, rank, 2) for name in WEIGHTINGS}
    (folder / f'{rank}.json').write_text(json.dumps(found))
    leave_ranks()
