"""Time what weights per training instance add to a training step, and how that grows with the number of instances.

There are two comparisons; each alternates between its two sides, so that a slow phase of the machine hits both:

* A training step of the DeepLab model of configs/itp with equal weighting, and with ITP and its hook. The difference
  is small against the noise of a step, so the two weightings are also timed alone, and a second ratio is computed from
  that. Budget: 1.05.
* The weighting alone (look up the batch's parameters, objective, gradients, update) with few and with many instances.
  Instances are named by number here; a file name would take one more dict lookup. Budget: 1.2.

Prints JSON with milliseconds and ratios, all medians.

Example:
    python tools/benchmarks/task_weights.py --base-channels 64 --batch-size 8 --repeats 20
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmengine.structures import PixelData

from mmfct.apis.training.config import load_config
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
    args = parser.parse_args()
    logging.disable(logging.INFO)  # mmengine lists how every weight was initialised
    init_default_scope('mmseg')
    torch.manual_seed(0)
    result = dict(step=_time_step(args), instances=_time_instances(args), threads=torch.get_num_threads())
    print(json.dumps(result, indent=1))


def _time_step(args: argparse.Namespace) -> dict[str, float]:
    """Compare a training step with equal weighting and with ITP."""
    options = dict(pretrained=None, base_channels=args.base_channels, head_channels=4 * args.base_channels)
    config = load_config(CONFIG, options | dict(image_size=tuple(args.image_size)))
    model = MODELS.build(config.model).train()
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=1e-4))
    equal, itp = MODELS.build(dict(config.weightings.equal, forms=FORMS)), model.weighting
    files = [f'images/{number:08d}.png' for number in range(args.few)]
    table = _table(config, itp, InstanceKeys(files))
    images = torch.randint(0, 256, (args.batch_size, 3, *args.image_size), dtype=torch.uint8)
    with torch.no_grad():
        outputs = model(torch.randn(args.batch_size, 3, *args.image_size))
    names, samples = files[: args.batch_size], [_sample(args.image_size) for _ in images]
    batch = dict(inputs=list(images), data_samples=samples)

    def step(weighting: TaskWeighting) -> float:
        model.weighting = weighting
        used = table if weighting is itp else None
        return _time(used, samples, names, lambda: model.train_step(batch, optimizer))

    def weigh(weighting: TaskWeighting) -> float:
        losses = torch.rand(len(samples), len(FORMS), requires_grad=True)
        annotated = torch.ones_like(losses, dtype=torch.bool)
        used = table if weighting is itp else None

        def run() -> None:
            needed = []
            if weighting.needs_comparisons:
                targets = {name: task.targets(outputs[name], samples) for name, task in model.tasks.items()}
                needed = [Comparison.of(t.compare, outputs[name], targets[name]) for name, t in model.tasks.items()]
            weighting(losses, annotated, *([needed] if needed else []))[0].backward()

        return _time(used, samples, names, run)

    def pairs(measure: Callable[[TaskWeighting], float], number: int) -> list[list[float]]:
        found = []
        for order in [(0, 1), (1, 0)] * ((number + 1) // 2 + 1):  # each comes first in half of the pairs
            times = {which: measure((equal, itp)[which]) for which in order}
            found.append([times[0], times[1]])
        return found[2:]

    steps, costs = pairs(step, args.repeats), pairs(weigh, 200)
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


def _time_instances(args: argparse.Namespace) -> dict[str, float]:
    """Compare ITP's weighting alone with few and with many instances."""
    config = load_config(CONFIG)
    weighting = MODELS.build(dict(config.weightings.itp, forms=FORMS))
    losses, outputs = torch.rand(2, args.weighting_batch_size, len(FORMS))
    comparisons = [Comparison.of(_difference, column, column + 1) for column in outputs.unbind(1)]
    annotated = torch.ones_like(losses, dtype=torch.bool)
    samples = [SimpleNamespace() for _ in losses]

    def measure(size: int, table: InstanceStore) -> float:
        rows = [torch.randint(size, (len(losses),)).tolist() for _ in range(50)]
        return median(
            _time(table, samples, names, lambda: weighting(losses, annotated, comparisons)) for names in rows
        )

    tables = {size: _table(config, weighting, NumberedKeys(size)) for size in (args.few, args.many)}
    rounds = [[measure(size, table) for size, table in tables.items()] for _ in range(args.rounds + 1)][1:]
    return dict(
        few=args.few,
        many=args.many,
        few_ms=1e3 * median(few for few, _ in rounds),
        many_ms=1e3 * median(many for _, many in rounds),
        ratio=median(many / few for few, many in rounds),
        budget=1.2,
    )


def _table(config: Config, weighting: AgreementWeighting, keys: InstanceKeys) -> InstanceStore:
    """Make the store of the instances as the hook of the config does before a run."""
    return HOOKS.build(config.instance_hook).make_store([weighting], keys, torch.device('cpu'))


def _difference(outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return absolute errors (B,), and that all have a label."""
    return (outputs - targets).abs(), torch.ones_like(targets, dtype=torch.bool)


def _sample(size: tuple[int, int]) -> SegDataSample:
    """Return a data sample of this height and width with random labels."""
    from mmseg.structures import SegDataSample

    sample = SegDataSample(metainfo=dict(img_shape=tuple(size), ori_shape=tuple(size)))
    sample.gt_sem_seg = PixelData(data=torch.randint(0, 7, (1, *size)))
    sample.gt_depth_map = PixelData(data=torch.rand(1, *size) + 0.1)
    return sample


def _time(table: InstanceStore | None, samples: Sequence, names: Sequence, work: Callable[[], object]) -> float:
    """Return the seconds of an iteration, including the work of the hook before and after it."""
    start = time.perf_counter()
    if table is not None:
        table.set_batch(samples, names)
    work()
    if table is not None:
        table.collect()
        table.step()
    return time.perf_counter() - start


if __name__ == '__main__':
    main()
