"""Measure instance-level task parameters on rendered clips of people, with right and with permuted labels.

Every case trains `configs/itp/resnet10_surreal_clips.py` once. Finished cases are skipped, so run the same command
again after an interruption. Prints Markdown tables, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/itp_surreal.py --seeds 0 1 2 --rates 0.4 --jobs 2
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
CONFIG = str(ROOT / 'configs/itp/resnet10_surreal_clips.py')
TASKS = ('pose', 'depth', 'parts')
RATES = (0.2, 0.4, 0.6)
CLEAN = ('equal', 'uncertainty', 'dwa', 'torchjd', 'itp')
# Column: (title, key in metrics.json, factor, digits)
COLUMNS = (
    ('MPJPE (mm)', 'pose/mpjpe', 1, 1),
    ('PA-MPJPE (mm)', 'pose/pa_mpjpe', 1, 1),
    ('surface error (mm)', 'pose/surface_error', 1, 1),
    ('depth RMSE (mm)', 'depth/rmse', 1000, 1),
    ('part IoU (%)', 'parts/iou', 100, 1),
    ('pixel accuracy (%)', 'parts/pixel_accuracy', 100, 1),
)


def cases(rates: tuple[float, ...], tasks: tuple[str, ...] = TASKS) -> dict[str, dict]:
    """Return the options of every case by its name."""
    from mmfct.apis.training.config import load_config

    found: dict[str, dict] = {weighting: dict(weighting=weighting) for weighting in CLEAN}
    for rate in rates:
        for task in tasks:
            corrupted = {f'corrupted_{task}': rate}
            label = f'{task}{round(100 * rate)}'
            found[f'{label}_uncertainty'] = dict(corrupted, weighting='uncertainty')
            found[f'{label}_itp'] = dict(corrupted, weighting='itp')
            epochs = round(load_config(CONFIG).epochs / (1 - rate))  # as many steps as with all frames
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
    metrics = work_dir / 'metrics.json'
    finished = metrics.exists() and ('body_female' not in options or 'pose/surface_error' in read(metrics))
    if not finished:
        train(CONFIG, TrainingOptions(work_dir=str(work_dir), cfg_options=dict(options)))
    if '_itp' in name and not (finished and (work_dir / 'suspects/detection.json').exists()):
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
        '--tasks', nargs='+', default=TASKS, choices=TASKS, help='tasks whose labels are permuted (default: all)'
    )
    parser.add_argument(
        '--folder',
        type=Path,
        default=Path('work_dirs/itp_surreal'),
        help='folder for the runs (default: work_dirs/itp_surreal)',
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='trainings to run in parallel, one thread each (default: 1)'
    )
    parser.add_argument(
        '--surface',
        action='store_true',
        help="also measure the surface error; needs smplx (pip install 'mmfct[smpl]')",
    )
    args = parser.parse_args()

    data_root = str(args.folder / 'data')
    render = [sys.executable, str(ROOT / 'tools/render_surreal_clips.py'), data_root]
    numbers = ['--num', '800', '--num-val', '0', '--num-test', '200', '--frames', '2', '--seed', '0']
    subprocess.run([*render, *numbers], check=True)
    rates, tasks = tuple(args.rates), tuple(args.tasks)
    genders = ('female', 'male') if args.surface else ()
    surface = {f'body_{gender}': f'{data_root}/smpl/SMPL_{gender.upper()}.npz' for gender in genders}
    context = multiprocessing.get_context('spawn')
    with ProcessPoolExecutor(args.jobs, mp_context=context) as pool:
        runs = [
            pool.submit(run_case, name, options | surface, seed, data_root, args.folder)
            for seed in args.seeds
            for name, options in cases(rates, tasks).items()
        ]
        for number, run in enumerate(runs, 1):
            print(f'{number}/{len(runs)} {run.result()}', flush=True)
    print(f'\n{tables(args.folder, args.seeds, rates, tasks)}')


def tables(folder: Path, seeds: list[int], rates: tuple[float, ...], tasks: tuple[str, ...] = TASKS) -> str:
    """Return a Markdown table for right labels, and one for each task whose labels were permuted."""
    titles = ' | '.join(title for title, *_ in COLUMNS)
    rule = '| --- |' + ' ---: |' * len(COLUMNS)
    lines = [f'right labels, seeds {seeds}', '', f'| weighting | {titles} |', rule]
    lines += [row(case, [folder / f'seed{seed}' / case for seed in seeds]) for case in CLEAN]
    for task in tasks:
        lines += ['', f'{task} labels permuted, seeds {seeds}', '']
        lines += [f'| share, weighting | {titles} | AUROC |', f'{rule} ---: |']
        for rate in rates:
            for weighting in ('uncertainty', 'itp', 'oracle'):
                runs = [folder / f'seed{seed}' / f'{task}{round(100 * rate)}_{weighting}' for seed in seeds]
                area = ''
                if weighting == 'itp':
                    found = [read(run / 'suspects/detection.json')[task]['rankings'] for run in runs]
                    area = spread([rankings['rank']['auroc'] for rankings in found], digits=3)
                lines.append(f'{row(f"{rate:.0%} {weighting}", runs)} {area} |')
    return '\n'.join(lines)


def row(name: str, runs: list[Path]) -> str:
    """Return a row of a table: mean and deviation over the runs."""
    metrics = [read(run / 'metrics.json') for run in runs]
    cells = [
        spread([values[key] for values in metrics], factor, digits) if all(key in values for values in metrics) else ''
        for _, key, factor, digits in COLUMNS
    ]
    return f'| {" | ".join([name, *cells])} |'


def read(path: Path) -> dict:
    """Read a JSON file."""
    return json.loads(path.read_text())


if __name__ == '__main__':
    main()
