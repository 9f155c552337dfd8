"""One of several processes: trains the toy model of the hooks' tests, scores embeddings, and writes what came of it.

Ranks have a GPU each, and talk by nccl; without GPUs, they run on the CPU and talk by gloo.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import torch
from mmengine.dist import get_dist_info

from mmfct.evaluation import CompatibilityMetric
from mmfct.utils.launch import init_launcher, leave_ranks

TOY = Path(__file__).parents[1] / 'engine/hooks/toy_instances.py'
CASES = ('complete', 'accumulated', 'agreement', 'agreement_accumulated')
GLOBAL_BATCH, ITEMS = 8, 40


def outcomes(folder: str, rank: int, world: int, **options) -> dict:
    """Train every case with this rank's share of each batch, and score its share of the items."""
    toy = runpy.run_path(str(TOY))
    found: dict = {}
    for case in CASES:
        arguments = toy['RANK_CASES'][case] | dict(size=16) | options
        runner = toy['make_runner'](f'{folder}/{case}', epochs=3, batch_size=GLOBAL_BATCH // world, **arguments)
        runner.train()
        found[case] = {name: value.cpu() for name, value in toy['results'](runner).items()}
    generator = torch.Generator().manual_seed(0)
    rows, labels = torch.randn(ITEMS, 4, generator=generator), torch.arange(ITEMS) % 5
    device = next(runner.model.parameters()).device
    metric = CompatibilityMetric(pairs=('new/new',), collect_device='gpu')
    for item in range(rank, ITEMS, world):
        sample = dict(embeddings=dict(new=rows[item].to(device)), gt_label=labels[item], sample_idx=item)
        metric.process({}, [sample])
    return found | dict(scores=metric.evaluate(ITEMS), device=device.type)


def main() -> None:
    """Run as a rank of torchrun."""
    init_launcher('pytorch')
    rank, world = get_dist_info()
    wrapper = dict(type='mmfct.CpuDistributedDataParallel', device_ids=None, broadcast_buffers=False)
    cfg = {} if torch.cuda.is_available() else dict(model_wrapper_cfg=wrapper)
    found = outcomes(sys.argv[1], rank, world, launcher='pytorch', cfg=cfg)
    torch.save(found | dict(backend=torch.distributed.get_backend()), f'{sys.argv[1]}/rank{rank}.pt')
    leave_ranks()
    torch.distributed.destroy_process_group()


if __name__ == '__main__':
    main()
