"""Measure what weights per training instance add to a training step, and how that grows with the number of instances.

There are three comparisons; those of time alternate between their two sides, so that a slow phase of the machine hits
both:

* The time of a training step of a model of configs/itp with equal weighting, and with ITP and its hook. The difference
  is small against the noise of a step, so the two weightings are also timed alone, and a second ratio is computed from
  that. Budget: 1.05.
* With --memory, the peak memory of such a step above that before the first one, each in a process of its own. Budget:
  1.05.
* The weighting alone (look up the batch's parameters, objective, gradients, update) with few and with many instances.
  Instances are named by number here; a file name would take one more dict lookup. Budget: 1.2.

Prints JSON with milliseconds, megabytes and ratios; times are medians.

Example:
    python tools/benchmarks/task_weights.py --base-channels 64 --batch-size 8 --repeats 20
    python tools/benchmarks/task_weights.py --config configs/itp/deeplabv3plus_r50_cityscapes_512x1024.py --memory
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from devices import add_device, describe, seconds
from mmengine.config import Config
from mmengine.model import BaseModel, revert_sync_batchnorm
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData

from mmfct.apis.training.config import config_variables, load_config
from mmfct.instances.comparison import Comparison
from mmfct.instances.keys import InstanceKeys
from mmfct.instances.store import InstanceStore
from mmfct.models.task_weightings import AgreementWeighting, TaskWeighting
from mmfct.registry import HOOKS, MODELS

if TYPE_CHECKING:
    from mmseg.structures import SegDataSample

CONFIG = Path(__file__).parents[2] / 'configs/itp/deeplabv3_r50_cityscapes.py'
FORMS = dict(seg='classification', depth='laplace')


class NumberedKeys(InstanceKeys):
    """Keys that need no 10 million file names in memory: instance i is named i."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size

    def row(self, value: str | int) -> int:
        """Return the row of an instance."""
        return int(value)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default=str(CONFIG), help='with the tasks seg and depth (default: DeepLabv3)')
    parser.add_argument(
        '--base-channels', type=int, default=16, help='width of the ResNet-50; the usual one is 64 (default: 16)'
    )
    parser.add_argument(
        '--image-size', type=int, nargs=2, default=(128, 256), help='height and width in pixels (default: 128 256)'
    )
    parser.add_argument('--batch-size', type=int, default=8, help='images per training step (default: 8)')
    parser.add_argument('--repeats', type=int, default=20, help='pairs of training steps (default: 20)')
    parser.add_argument('--few', type=int, default=10_000, help='small number of instances (default: 10000)')
    parser.add_argument('--many', type=int, default=10_000_000, help='large number of instances (default: 10000000)')
    parser.add_argument(
        '--weighting-batch-size', type=int, default=64, help='rows per step of the weighting alone (default: 64)'
    )
    parser.add_argument(
        '--rounds', type=int, default=30, help='pairs of 50 steps of the weighting alone (default: 30)'
    )
    add_device(parser)
    parser.add_argument('--memory', action='store_true', help='measure the peak memory, too')
    parser.add_argument('--peak-only', choices=('equal', 'itp'), help=argparse.SUPPRESS)
    args = parser.parse_args()
    logging.disable(logging.INFO)  # mmengine lists how every weight was initialised
    init_default_scope('mmseg')
    torch.manual_seed(0)
    if args.peak_only:
        print(_peak_of_steps(args))
        return
    memory = dict(memory=_compare_peaks()) if args.memory else {}
    result = dict(step=_time_step(args), **memory, instances=_time_instances(args), **describe(args.device))
    print(json.dumps(result, indent=1))


class Problem:
    """A model with its optimiser, a batch, and the store of the instances.

    Args:
        args: The command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        size = tuple(args.image_size)
        options = dict(pretrained=None, base_channels=args.base_channels, head_channels=4 * args.base_channels)
        options |= {name: size for name in ('image_size', 'crop_size') if name in config_variables(args.config)}
        config = load_config(args.config, options)
        self.device = args.device
        self.model: BaseModel = revert_sync_batchnorm(MODELS.build(config.model)).train().to(self.device)
        self.optimizer = OptimWrapper(torch.optim.Adam(self.model.parameters(), lr=1e-4))
        self.equal = MODELS.build(dict(config.weightings.equal, forms=FORMS)).to(self.device)
        self.itp = self.model.weighting
        files = [f'images/{number:08d}.png' for number in range(args.few)]
        self.names = files[: args.batch_size]
        self.table = _table(config, self.itp, InstanceKeys(files), self.device)
        images = torch.randint(0, 256, (args.batch_size, 3, *size), dtype=torch.uint8)
        self.samples = [_sample(size, config.num_classes).to(self.device) for _ in images]
        self.batch = dict(inputs=list(images), data_samples=self.samples)

    def time(self, weighting: TaskWeighting, work: Callable[[], object]) -> float:
        """Return the seconds of an iteration with a weighting."""
        return _time(self.table if weighting is self.itp else None, self.samples, self.names, work, self.device)

    def step(self, weighting: TaskWeighting) -> float:
        """Return the seconds of a training step with a weighting."""
        self.model.weighting = weighting
        return self.time(weighting, lambda: self.model.train_step(self.batch, self.optimizer))


def _time_step(args: argparse.Namespace) -> dict[str, float]:
    """Compare a training step with equal weighting and with ITP."""
    problem = Problem(args)
    model, samples, equal, itp = problem.model, problem.samples, problem.equal, problem.itp
    with torch.no_grad():
        outputs = model(torch.randn(args.batch_size, 3, *args.image_size, device=args.device))

    def weigh(weighting: TaskWeighting) -> float:
        losses = torch.rand(len(samples), len(FORMS), device=args.device, requires_grad=True)
        annotated = torch.ones_like(losses, dtype=torch.bool)

        def run() -> None:
            needed = []
            if weighting.needs_comparisons:
                targets = {name: task.targets(outputs[name], samples) for name, task in model.tasks.items()}
                needed = [Comparison.of(t.compare, outputs[name], targets[name]) for name, t in model.tasks.items()]
            weighting(losses, annotated, *([needed] if needed else []))[0].backward()

        return problem.time(weighting, run)

    def pairs(measure: Callable[[TaskWeighting], float], number: int) -> list[list[float]]:
        found = []
        for order in [(0, 1), (1, 0)] * ((number + 1) // 2 + 1):  # each comes first in half of the pairs
            times = {which: measure((equal, itp)[which]) for which in order}
            found.append([times[0], times[1]])
        return found[2:]

    steps, costs = pairs(problem.step, args.repeats), pairs(weigh, 200)
    equal_time = median(first for first, _ in steps)
    equal_cost, itp_cost = median(first for first, _ in costs), median(second for _, second in costs)
    return dict(
        equal_ms=1e3 * equal_time,
        ratio_of_steps=median(second / first for first, second in steps),
        equal_weighting_ms=1e3 * equal_cost,
        itp_weighting_ms=1e3 * itp_cost,
        ratio_from_weightings=1 + (itp_cost - equal_cost) / equal_time,
        budget=1.05,
    )


def _compare_peaks() -> dict[str, float]:
    """Compare the peak memory of training steps with equal weighting and with ITP."""
    command = [sys.executable, __file__, *sys.argv[1:], '--peak-only']
    # Large blocks go back to the system at once; a heap with holes would depend on the order of allocations.
    environment = os.environ | dict(MALLOC_MMAP_THRESHOLD_='65536')
    equal, itp = (
        float(subprocess.run([*command, name], check=True, capture_output=True, text=True, env=environment).stdout)
        for name in ('equal', 'itp')
    )
    return dict(equal_megabytes=equal, itp_megabytes=itp, ratio=itp / equal, budget=1.05)


def _peak_of_steps(args: argparse.Namespace) -> float:
    """Return how many megabytes two training steps need above what was there before; for a process of its own."""
    problem = Problem(args)
    on_gpu = torch.device(args.device).type == 'cuda'
    before = torch.cuda.memory_allocated(args.device) / 2**20 if on_gpu else _megabytes('VmRSS')
    for _ in range(2):
        problem.step(getattr(problem, args.peak_only))
    return (torch.cuda.max_memory_allocated(args.device) / 2**20 if on_gpu else _megabytes('VmHWM')) - before


def _megabytes(field: str) -> float:
    """Return the memory of this process in MB: now (VmRSS), or at most so far (VmHWM)."""
    status = Path('/proc/self/status').read_text()
    fields = dict(line.split(':', 1) for line in status.splitlines())
    return int(fields[field].split()[0]) / 1024


def _time_instances(args: argparse.Namespace) -> dict[str, float]:
    """Compare ITP's weighting alone with few and with many instances."""
    config = load_config(CONFIG)
    weighting = MODELS.build(dict(config.weightings.itp, forms=FORMS)).to(args.device)
    losses, outputs = torch.rand(2, args.weighting_batch_size, len(FORMS), device=args.device)
    comparisons = [Comparison.of(_difference, column, column + 1) for column in outputs.unbind(1)]
    annotated = torch.ones_like(losses, dtype=torch.bool)
    samples = [SimpleNamespace() for _ in losses]

    def measure(size: int, table: InstanceStore) -> float:
        rows = [torch.randint(size, (len(losses),)).tolist() for _ in range(50)]
        work = partial(weighting, losses, annotated, comparisons)
        return median(_time(table, samples, names, work, args.device) for names in rows)

    tables = {size: _table(config, weighting, NumberedKeys(size), args.device) for size in (args.few, args.many)}
    rounds = [[measure(size, table) for size, table in tables.items()] for _ in range(args.rounds + 1)][1:]
    return dict(
        few=args.few,
        many=args.many,
        few_ms=1e3 * median(few for few, _ in rounds),
        many_ms=1e3 * median(many for _, many in rounds),
        ratio=median(many / few for few, many in rounds),
        budget=1.2,
    )


def _table(config: Config, weighting: AgreementWeighting, keys: InstanceKeys, device: str) -> InstanceStore:
    """Make the store of the instances as the hook of the config does before a run."""
    return HOOKS.build(config.instance_hook).make_store([weighting], keys, torch.device(device))


def _difference(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return absolute errors (B,), and that all have a label."""
    return (outputs - targets).abs(), torch.ones_like(targets, dtype=torch.bool)


def _sample(size: tuple[int, ...], num_classes: int) -> SegDataSample:
    """Return a data sample of this height and width with random labels."""
    from mmseg.structures import SegDataSample

    sample = SegDataSample(metainfo=dict(img_shape=tuple(size), ori_shape=tuple(size)))
    sample.gt_sem_seg = PixelData(data=torch.randint(0, num_classes, (1, *size)))
    sample.gt_depth_map = PixelData(data=torch.rand(1, *size) + 0.1)
    return sample


def _time(
    table: InstanceStore | None, samples: Sequence, names: Sequence, work: Callable[[], object], device: str
) -> float:
    """Return the seconds of an iteration, including the work of the hook before and after it."""

    def iteration() -> None:
        if table is not None:
            table.set_batch(samples, names)
        work()
        if table is not None:
            table.collect()
            table.step()

    return seconds(iteration, device)


if __name__ == '__main__':
    main()
