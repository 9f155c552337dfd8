"""The metric on two real gloo processes gives what one process gives."""

from __future__ import annotations

import json

import pytest
import torch

from mmfct.evaluation import CompatibilityMetric

# Runs as a program of its own: each rank takes its samples as mmengine's DefaultSampler deals them
# out, and writes what it got.
WORKER = """
import json, os, sys, torch
import torch.distributed as dist
from mmfct.evaluation import CompatibilityMetric
from mmfct.utils.launch import leave_ranks

folder, rank = sys.argv[1], 0 if os.fork() else 1
torch.set_num_threads(1)
dist.init_process_group('gloo', init_method=f'file://{folder}/rendezvous', rank=rank, world_size=2)
data = torch.load(f'{folder}/data.pt')

def run(size, round_up, **options):
    indices = list(range(size))
    if round_up and size % 2:
        indices.append(0)
    metric = CompatibilityMetric(**options)
    mine = indices[rank::2]
    for start in range(0, len(mine), 4):
        metric.process(None, [
            dict(
                embeddings={role: rows[i] for role, rows in data['embeddings'].items()},
                gt_label=data['labels'][i],
                sample_idx=i,
            )
            for i in mine[start:start + 4]
        ])
    try:
        results = metric.evaluate(size)
    except ValueError as error:
        return str(error)
    same = torch.equal(metric.embeddings['new'], data['embeddings']['new'][:size])
    return dict(results=results, same=same, labels=metric.labels.tolist())

out = dict(
    padded=run(21, True),
    uneven=run(21, False),
    even=run(20, True, distance='cosine', chunk_size=3),
    lone=run(1, False),
    nothing=run(0, False),
)
data['embeddings']['old'][4] = float('nan')
out['not finite'] = run(21, True)
json.dump(out, open(f'{folder}/rank{rank}.json', 'w'))
leave_ranks()
"""


@pytest.fixture(scope='module')
def data() -> dict:
    generator = torch.Generator().manual_seed(0)
    new, noise, old = (torch.randn(21, d, generator=generator) for d in (4, 4, 3))
    embeddings = {'old': old, 'upgraded': new + noise, 'new': new}
    return {'embeddings': embeddings, 'labels': torch.arange(21) % 4}


@pytest.fixture(scope='module')
def ranks(data, run_ranks, tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp('ranks')
    torch.save(data, folder / 'data.pt')
    run_ranks('-c', WORKER, folder=folder)
    return [json.loads((folder / f'rank{rank}.json').read_text()) for rank in range(2)]


def alone(data: dict, size: int, **options: object) -> dict:
    metric = CompatibilityMetric(**options)
    samples = [
        {
            'embeddings': {role: rows[i] for role, rows in data['embeddings'].items()},
            'gt_label': data['labels'][i],
            'sample_idx': i,
        }
        for i in range(size)
    ]
    metric.process(None, samples)
    return metric.evaluate(size)


@pytest.mark.parametrize(
    ('case', 'size', 'options'),
    [
        ('padded', 21, {}),
        ('uneven', 21, {}),
        ('even', 20, {'distance': 'cosine', 'chunk_size': 3}),
        ('lone', 1, {}),
    ],
)
def test_every_rank_returns_the_result_of_one_process(data, ranks, case, size, options):
    expected = alone(data, size, **options)
    for rank in ranks:
        assert rank[case]['results'] == pytest.approx(expected, abs=1e-6, nan_ok=True)
        assert rank[case]['same']
        assert rank[case]['labels'] == data['labels'][:size].tolist()
    assert json.dumps(ranks[0][case]) == json.dumps(ranks[1][case])


@pytest.mark.parametrize(
    ('case', 'message'),
    [('nothing', 'no embeddings to evaluate'), ('not finite', "role 'old' in 1 of 21 rows")],
)
def test_every_rank_raises_the_same_error(ranks, case, message):
    assert message in ranks[0][case]
    assert ranks[0][case] == ranks[1][case]
