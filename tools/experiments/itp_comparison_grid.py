"""Compare labels on the grid of pixels that a training uses, and on all pixels: do both rank the labels alike?

Trains `configs/itp/unet_street_scenes.py` on rendered scenes with permuted label and depth maps, at a quarter of their
size, as the logits of most networks have. Then every label is compared at full size with the predictions of the other
images of its batch. Prints a Markdown table: the rank correlation of the two contrasts, the AUROC of the wrong labels
by each, and the milliseconds per batch that each takes.

Example:
    python tools/experiments/itp_comparison_grid.py --num 96 --size 512 1024
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import itp_runs
import numpy as np
import torch
from running import ROOT
from torch.nn import functional as F

CONFIG = str(ROOT / 'configs/itp/unet_street_scenes.py')
TASKS = ('depth', 'seg')
WAYS = ('grid', 'all')


def main() -> None:
    """Run the measurement and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = Path('work_dirs/itp_comparison_grid')
    parser.add_argument('--folder', type=Path, default=folder, help=f'folder for the run (default: {folder})')
    parser.add_argument('--num', type=int, default=96, help='number of training scenes (default: 96)')
    parser.add_argument('--size', type=int, nargs=2, default=(512, 1024), help='of the scenes (default: 512 1024)')
    parser.add_argument('--epochs', type=int, default=20, help='of the training (default: 20)')
    parser.add_argument('--rate', type=float, default=0.4, help='share of permuted labels (default: 0.4)')
    parser.add_argument('--batch-size', type=int, default=8, help='labels compared with one another (default: 8)')
    args = parser.parse_args()
    words = ['--num', str(args.num), '--num-val', '1', '--size', *map(str, args.size)]
    data_root = itp_runs.render('tools/render_street_scenes.py', args.folder, *words)
    print(table(measure(data_root, args)))


def measure(data_root: str, args: argparse.Namespace) -> dict[str, dict[str, float]]:
    """Train, and return the numbers of each task."""
    from mmfct.apis.find_corrupt_labels.data import TrainingInstances
    from mmfct.apis.find_corrupt_labels.model import build_model
    from mmfct.apis.find_corrupt_labels.truth import corruption_of_wrappers
    from mmfct.apis.training.config import load_config
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.train import train
    from mmfct.utils.checkpoint import load_checkpoint

    small = tuple(side // 4 for side in args.size)
    options = dict(data_root=data_root, epochs=args.epochs, log_level='WARNING')
    options |= {f'corrupted_{task}': args.rate for task in TASKS}
    config = load_config(CONFIG, options)
    resize = dict(type='mmfct.ResizeWithMaps', size=small)
    options['train_dataloader.dataset.dataset.pipeline'] = [*config.loading, resize, *config.train_pipeline[3:]]
    # Labels of the validation have the size of the file, as in mmseg.
    load_image, *load_labels = config.loading
    pipeline = [load_image, dict(type='Resize', scale=small[::-1]), *load_labels, config.packing]
    options['test_dataloader.dataset.pipeline'] = pipeline
    options['test_dataloader.batch_size'] = args.batch_size
    final = args.folder / 'training/final.pth'
    if not final.exists():
        train(CONFIG, TrainingOptions(work_dir=str(final.parent), cfg_options=dict(options)))
    config = load_config(CONFIG, options)
    instances = TrainingInstances.of(config)
    model = build_model(config, load_checkpoint(str(final)), str(final), 'cpu')
    contrasts, seconds = compare(model, instances.loader(config))
    wrong = corruption_of_wrappers(instances, TASKS)
    return {task: summary(contrasts[task], seconds[task], wrong[task]) for task in TASKS}


@torch.no_grad()
def compare(model: Any, loader: Any) -> tuple[dict, dict]:
    """Return the contrasts of all labels, and the seconds of all batches, by task and way of comparing."""
    found: dict[str, dict[str, list[float]]] = {task: {way: [] for way in WAYS} for task in TASKS}
    seconds: dict[str, dict[str, list[float]]] = {task: {way: [] for way in WAYS} for task in TASKS}
    for batch in loader:
        data = model.data_preprocessor(batch, False)
        outputs, samples = model(data['inputs']), data['data_samples']
        for name in TASKS:
            task = model.tasks[name]
            output = F.interpolate(outputs[name], task.label_size(samples[0]), mode='bilinear')
            targets = task.targets(output, samples)
            for way, values, taken in contrasts_of(task, output, targets):
                found[name][way] += values
                seconds[name][way].append(taken)
    return found, seconds


def contrasts_of(task: Any, output: torch.Tensor, targets: torch.Tensor) -> Iterator[tuple[str, list[float], float]]:
    """Yield each way of comparing, the contrasts of a batch, and the seconds that this took."""
    from mmfct.functional.label_agreement import contrasts
    from mmfct.instances.comparison import Comparison

    for way, options in zip(WAYS, ({}, dict(most=max(output.shape[2:]))), strict=True):
        start = time.perf_counter()
        own, others = Comparison.of(task.compare, output, targets, **options).losses(len(output) - 1)
        values = contrasts(own[:, None], others[..., None])[:, 0].tolist()
        yield way, values, time.perf_counter() - start


def summary(contrasts: dict[str, list[float]], seconds: dict[str, list[float]], wrong: np.ndarray) -> dict[str, float]:
    """Return the numbers of a task."""
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    areas = {f'auroc_{way}': float(roc_auc_score(wrong, contrasts[way])) for way in WAYS}
    times = {f'ms_{way}': 1e3 * float(np.median(seconds[way])) for way in WAYS}
    return dict(correlation=float(spearmanr(contrasts['grid'], contrasts['all']).statistic), **areas, **times)


def table(numbers: dict[str, dict[str, float]]) -> str:
    """Return a Markdown table with a row per task."""
    lines = [
        '| task | rank correlation | AUROC, grid | AUROC, all pixels | ms, grid | ms, all pixels |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
    ]
    for task, row in numbers.items():
        areas = ' | '.join(f'{row[f"auroc_{way}"]:.3f}' for way in WAYS)
        times = ' | '.join(f'{row[f"ms_{way}"]:.1f}' for way in WAYS)
        lines.append(f'| {task} | {row["correlation"]:.4f} | {areas} | {times} |')
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
