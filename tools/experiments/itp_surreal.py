"""Measure instance-level task parameters on rendered clips of people, with right and with permuted labels.

Every case trains `configs/itp/resnet10_surreal_clips.py` once. Finished cases are skipped, so run the same command
again after an interruption. Prints Markdown tables, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/itp_surreal.py --seeds 0 1 2 --rates 0.4 --jobs 2
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import itp_runs
from running import ROOT, run_cases

CONFIG = str(ROOT / 'configs/itp/resnet10_surreal_clips.py')
# What permuted labels of a task harm
GOALS = dict(pose='pose/mpjpe', depth='depth/rmse', parts='parts/iou')
TASKS = tuple(GOALS)
CLEAN = ('equal', 'uncertainty', 'dwa', 'itp', 'itp_instance')
PERMUTED = ('itp', 'itp_instance')  # weightings with permuted labels
COLUMNS: tuple[itp_runs.Column, ...] = (
    ('MPJPE (mm)', 'pose/mpjpe', 1, 1),
    ('PA-MPJPE (mm)', 'pose/pa_mpjpe', 1, 1),
    ('surface error (mm)', 'pose/surface_error', 1, 1),
    ('depth RMSE (mm)', 'depth/rmse', 1000, 1),
    ('part IoU (%)', 'parts/iou', 100, 1),
    ('pixel accuracy (%)', 'parts/pixel_accuracy', 100, 1),
)


def cases(rates: Sequence[float], tasks: Sequence[str] = TASKS) -> dict[str, dict]:
    """Return the options of every case by its name."""
    clean = {weighting: dict(weighting=weighting) for weighting in CLEAN}
    return clean | itp_runs.permuted_cases(CONFIG, rates, tasks, PERMUTED)


def run_case(name: str, options: dict, seed: int, data_root: str, folder: Path) -> str:
    """Run a case of a seed unless it is finished, with the surface error if that is asked for; return its name."""
    needed = ['pose/surface_error'] if 'body_female' in options else []
    itp_runs.run_case(CONFIG, folder / f'seed{seed}' / name, dict(options, seed=seed, data_root=data_root), needed)
    return name


def tables(folder: Path, seeds: list[int], rates: Sequence[float], tasks: Sequence[str] = TASKS) -> str:
    """Return a Markdown table for right labels, and one for each task whose labels were permuted."""
    lines = [f'right labels, seeds {seeds}', '', *itp_runs.head('weighting', COLUMNS)]
    lines += [itp_runs.row(case, [folder / f'seed{seed}' / case for seed in seeds], COLUMNS) for case in CLEAN]
    goals = {task: GOALS[task] for task in tasks}
    return '\n'.join(lines + itp_runs.permuted_tables(folder, seeds, rates, goals, COLUMNS, PERMUTED))


def main() -> None:
    """Run the measurement and print the tables."""
    parser = itp_runs.itp_parser(__doc__, 'itp_surreal')
    parser.add_argument(
        '--tasks', nargs='+', default=TASKS, choices=TASKS, help='tasks whose labels are permuted (default: all)'
    )
    parser.add_argument(
        '--surface',
        action='store_true',
        help="also measure the surface error; needs smplx (pip install 'mmfct[smpl]')",
    )
    args = parser.parse_args()
    numbers = ['--num', '800', '--num-val', '0', '--num-test', '200', '--frames', '2', '--seed', '0']
    data_root = itp_runs.render('tools/render_surreal_clips.py', args.folder, *numbers)
    genders = ('female', 'male') if args.surface else ()
    surface = {f'body_{gender}': f'{data_root}/smpl/SMPL_{gender.upper()}.npz' for gender in genders}
    todo = {name: options | surface for name, options in cases(args.rates, args.tasks).items()}
    runs = [(*case, seed, data_root, args.folder) for seed in args.seeds for case in todo.items()]
    run_cases(run_case, runs, args.jobs)
    print(f'\n{tables(args.folder, args.seeds, args.rates, args.tasks)}')


if __name__ == '__main__':
    main()
