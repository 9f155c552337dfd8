"""Weightings on two real gloo processes: the objective and the mean gradient of one process on the global batch.

This file is also the program of the two processes.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from mmfct.instances.comparison import Comparison
from mmfct.registry import MODELS
from mmfct.utils.launch import leave_ranks

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


def error(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean absolute errors of maps (N, 1, H, W), and that all have a label."""
    return (outputs - targets).abs().flatten(1).mean(dim=1), torch.ones(len(targets), dtype=torch.bool)


def run_agreement(rank: int, world_size: int, *, sizes: tuple[int, int], number: int = 8, others: int = 3) -> dict:
    """Contrasts, objective and start of a step with weights by agreement; the images of rank r have the r-th size."""
    generator = torch.Generator().manual_seed(1)
    maps = {size: torch.randn(2, number, 1, 4, size, generator=generator) for size in dict.fromkeys(sizes)}
    outputs, targets = maps[sizes[rank]][:, rank::world_size]
    weighting = MODELS.build(dict(type='mmfct.AgreementWeighting', forms=dict(depth='laplace'), others=others))
    weighting.set_instances(torch.linspace(0, 2, number)[rank::world_size, None], [''] * len(outputs))
    losses, annotated = error(outputs, targets)
    objective, _ = weighting(losses[:, None], annotated[:, None], [Comparison.of(error, outputs, targets)])
    values = weighting.pop_report().values[:, 0]
    objective = objective.detach()
    if world_size > 1:
        dist.all_reduce(objective)
    return dict(values=values.tolist(), objective=objective.item() / world_size, start=weighting.log_variance.tolist())


def run_alone() -> list[float]:
    """Contrasts of a step that only this rank takes, as in mmpretrain's `MultiTaskHead` without the task elsewhere."""
    outputs, targets = torch.randn(2, 4, 1, 4, 6)
    weighting = MODELS.build(dict(type='mmfct.AgreementWeighting', forms=dict(depth='laplace')))
    weighting.set_instances(torch.ones(4, 1), [''] * 4, torch.tensor(2.0))
    losses, annotated = error(outputs, targets)
    weighting(losses[:, None], annotated[:, None], [Comparison.of(error, outputs, targets)])
    return weighting.pop_report().values[:, 0].tolist()


@pytest.fixture(scope='module')
def ranks(run_ranks, tmp_path_factory) -> list[dict]:
    """What each of two processes gets."""
    folder = tmp_path_factory.mktemp('ranks')
    run_ranks(__file__, folder=folder)
    return [json.loads((folder / f'{rank}.json').read_text()) for rank in range(2)]


@pytest.mark.parametrize('name', WEIGHTINGS)
def test_two_ranks_equal_one_process(ranks, name):
    expected = [torch.tensor(value) for value in run(name, 0, 1)]
    for rank in ranks:
        found = [torch.tensor(value) for value in rank[name]]
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)


def test_labels_are_compared_over_the_global_batch(ranks):
    expected = run_agreement(0, 1, sizes=(6, 6))
    for rank, found in enumerate(ranks):
        assert found['alike']['values'] == pytest.approx(expected['values'][rank::2], rel=1e-5)
        assert found['alike']['objective'] == pytest.approx(expected['objective'], rel=1e-5)
        assert found['alike']['start'] == pytest.approx(expected['start'], rel=1e-5)


@pytest.mark.parametrize(('case', 'sizes', 'number'), [('sizes', (6, 5), 8), ('numbers', (6, 6), 7)])
def test_ranks_whose_images_differ_in_size_or_number_compare_their_own(ranks, case, sizes, number):
    for rank, found in enumerate(ranks):
        generator = torch.Generator().manual_seed(1)
        maps = {size: torch.randn(2, number, 1, 4, size, generator=generator) for size in dict.fromkeys(sizes)}
        outputs, targets = maps[sizes[rank]][:, rank::2]
        for i, target in enumerate(targets):
            own, ratios = (outputs[i] - target).abs().mean(), []
            for k in range(1, 1 + min(3, len(outputs) - 1)):
                other = (outputs[(i + k) % len(outputs)] - target).abs().mean()
                ratios.append((own - other) / (own + other))
            assert found[case]['values'][i] == pytest.approx(torch.stack(ratios).mean().item(), rel=1e-4)
        assert found[case]['start'] == ranks[0][case]['start']  # the scale is that of all


def test_a_module_that_not_all_ranks_run_compares_its_own_and_does_not_wait(ranks):
    values = torch.tensor(ranks[0]['alone'])
    assert values.isfinite().all() and ranks[1]['alone'] is None


if __name__ == '__main__':
    folder, rank = Path(sys.argv[1]), 0 if os.fork() else 1
    dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
    found = {name: run(name, rank, 2) for name in WEIGHTINGS}
    found['alike'] = run_agreement(rank, 2, sizes=(6, 6))
    found['sizes'] = run_agreement(rank, 2, sizes=(6, 5))
    found['numbers'] = run_agreement(rank, 2, sizes=(6, 6), number=7)
    found['alone'] = run_alone() if rank == 0 else None
    (folder / f'{rank}.json').write_text(json.dumps(found))
    leave_ranks()
