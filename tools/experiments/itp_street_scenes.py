"""Measure instance-level task parameters on rendered street scenes, with right and with permuted labels.

Every case trains `configs/itp/unet_street_scenes.py` once. Finished cases are skipped, so run the same command again
after an interruption. Prints Markdown tables, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/itp_street_scenes.py --seeds 0 1 2 --jobs 2
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from spread import spread

ROOT = Path(__file__).parents[2]
CONFIG = str(ROOT / 'configs/itp/unet_street_scenes.py')
RATES = (0.2, 0.4, 0.6)
# Column: (title, key in metrics.json, factor, digits)
COLUMNS = (
    ('depth error x 1000', 'depth/abs_error', 1000, 2),
    ('relative depth error (%)', 'depth/rel_error', 100, 1),
    ('mIoU (%)', 'mIoU', 1, 1),
    ('pixel accuracy (%)', 'aAcc', 1, 1),
)


def cases(rates: tuple[float, ...]) -> dict[str, dict]:
    """Return the options of every case by its name."""
    from mmfct.apis.training.config import load_config

    found: dict[str, dict] = {
        'single_seg': dict(tasks=('seg',), weighting='equal'),
        'single_depth': dict(tasks=('depth',), weighting='equal'),
        'equal': dict(weighting='equal'),
        'uncertainty': dict(weighting='uncertainty'),
        'itp': dict(weighting='itp'),
    }
    for rate in rates:
        for task in ('depth', 'seg'):
            corrupted = {f'corrupted_{task}': rate}
            label = f'{task}{round(100 * rate)}'
            found[f'{label}_uncertainty'] = dict(corrupted, weighting='uncertainty')
            found[f'{label}_itp'] = dict(corrupted, weighting='itp')
            epochs = round(load_config(CONFIG).epochs / (1 - rate))  # as many steps as with all images
            found[f'{label}_oracle'] = dict(corrupted, weighting='uncertainty', only_clean=True, epochs=epochs)
    return found


def run_case(name: str, options: dict, seed: int, data_root: str, folder: Path) -> str:
    """Train a case unless it is finished; with ITP on wrong labels, also rank the labels."""
    import torch

    from mmfct.apis.find_corrupt_labels import find_corrupt_labels
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.train import train

    torch.set_num_threads(1)
    work_dir = folder / f'seed{seed}' / name
    options = dict(options, seed=seed, data_root=data_root, log_level='WARNING')
    if not (work_dir / 'metrics.json').exists():
        train(CONFIG, TrainingOptions(work_dir=str(work_dir), cfg_options=dict(options)))
    if '_itp' in name and not (work_dir / 'suspects/detection.json').exists():
        find_corrupt_labels(CONFIG, str(work_dir / 'final.pth'), cfg_options=dict(options))
    return name


def main() -> None:
    """Run the measurement and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='random seeds (default: 0 1 2)')
    parser.add_argument(
        '--rates', type=float, nargs='*', default=RATES, help='shares of permuted labels (default: 0.2 0.4 0.6)'
    )
    parser.add_argument(
        '--folder',
        type=Path,
        default=Path('work_dirs/itp_street_scenes'),
        help='folder for the runs (default: work_dirs/itp_street_scenes)',
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='trainings to run in parallel, one thread each (default: 1)'
    )
    args = parser.parse_args()

    data_root = str(args.folder / 'data')
    render = [sys.executable, str(ROOT / 'tools/render_street_scenes.py'), data_root]
    subprocess.run([*render, '--num', '400', '--num-val', '200', '--seed', '0', '--size', '32', '64'], check=True)
    todo = cases(tuple(args.rates))
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(args.jobs, mp_context=context) as pool:
        runs = [
            pool.submit(run_case, name, options, seed, data_root, args.folder)
            for seed in args.seeds
            for name, options in todo.items()
        ]
        for number, run in enumerate(runs, 1):
            print(f'{number}/{len(runs)} {run.result()}', flush=True)
    print(f'\n{tables(args.folder, args.seeds, tuple(args.rates))}')


def tables(folder: Path, seeds: list[int], rates: tuple[float, ...]) -> str:
    """Return a Markdown table for right labels, and one for each task whose labels were permuted."""
    titles = ' | '.join(title for title, *_ in COLUMNS)
    rule = '| --- |' + ' ---: |' * (len(COLUMNS) + 1)
    lines = [f'right labels, seeds {seeds}', '', f'| weighting | {titles} | delta-m (%) |', rule]
    for case in ('single_seg', 'single_depth', 'equal', 'uncertainty', 'itp'):
        runs = [folder / f'seed{seed}' for seed in seeds]
        change = '' if case.startswith('single') else spread([relative_change(run, case) for run in runs])
        lines.append(row(case, [run / case for run in runs], change))
    for task in ('depth', 'seg'):
        lines += ['', f'{task} labels permuted, seeds {seeds}', '', f'| share, weighting | {titles} | AUROC |', rule]
        for rate in rates:
            for weighting in ('uncertainty', 'itp', 'oracle'):
                runs = [folder / f'seed{seed}' / f'{task}{round(100 * rate)}_{weighting}' for seed in seeds]
                area = ''
                if weighting == 'itp':
                    found = [read(run / 'suspects/detection.json')[task]['rankings'] for run in runs]
                    area = spread([rankings['rank']['auroc'] for rankings in found], digits=3)
                lines.append(row(f'{rate:.0%} {weighting}', runs, area))
    return '\n'.join(lines)


def row(name: str, runs: list[Path], last: str) -> str:
    """Return a row of a table: mean and deviation over the runs, and a last cell."""
    metrics = [read(run / 'metrics.json') for run in runs]
    cells = [
        spread([values[key] for values in metrics], factor, digits) if key in metrics[0] else ''
        for _, key, factor, digits in COLUMNS
    ]
    return f'| {" | ".join([name, *cells, last])} |'


def relative_change(run: Path, case: str) -> float:
    """Return delta-m of a case against the single-task models of the same seed, in percent."""
    from mmfct.functional.delta_m import delta_m

    keys = [key for _, key, *_ in COLUMNS]
    single = read(run / 'single_seg/metrics.json') | read(run / 'single_depth/metrics.json')
    scores = read(run / case / 'metrics.json')
    errors = [key for key in keys if key.startswith('depth/')]
    return delta_m({k: scores[k] for k in keys}, {k: single[k] for k in keys}, lower_is_better=errors)


def read(path: Path) -> dict:
    """Read a JSON file."""
    return json.loads(path.read_text())


if __name__ == '__main__':
    main()
