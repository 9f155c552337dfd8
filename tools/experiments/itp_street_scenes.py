"""Measure instance-level task parameters on rendered street scenes, with right and with permuted labels.

Every case trains `configs/itp/unet_street_scenes.py` once. Finished cases are skipped, so run the same command again
after an interruption. Prints Markdown tables, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/itp_street_scenes.py --seeds 0 1 2 --jobs 2
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import itp_runs
from running import ROOT, run_cases
from spread import spread

CONFIG = str(ROOT / 'configs/itp/unet_street_scenes.py')
GOALS = dict(depth='depth/abs_error', seg='mIoU')  # what permuted labels of a task harm
TASKS = tuple(GOALS)
PERMUTED = ('itp', f'itp{itp_runs.SECOND_PASS}')  # weightings with permuted labels
CLEAN: dict[str, dict] = {
    'single_seg': dict(tasks=('seg',), weighting='equal'),
    'single_depth': dict(tasks=('depth',), weighting='equal'),
    'equal': dict(weighting='equal'),
    'uncertainty': dict(weighting='uncertainty'),
    'itp': dict(weighting='itp'),
}
COLUMNS: tuple[itp_runs.Column, ...] = (
    ('depth error x 1000', 'depth/abs_error', 1000, 2),
    ('relative depth error (%)', 'depth/rel_error', 100, 1),
    ('mIoU (%)', 'mIoU', 1, 1),
    ('pixel accuracy (%)', 'aAcc', 1, 1),
)


def cases(rates: Sequence[float]) -> dict[str, dict]:
    """Return the options of every case by its name."""
    return CLEAN | itp_runs.permuted_cases(CONFIG, rates, TASKS, PERMUTED)


def run_case(name: str, options: dict, seed: int, data_root: str, folder: Path) -> str:
    """Run a case of a seed unless it is finished; return its name."""
    itp_runs.run_case(CONFIG, folder / f'seed{seed}' / name, dict(options, seed=seed, data_root=data_root))
    return name


def tables(folder: Path, seeds: list[int], rates: Sequence[float]) -> str:
    """Return a Markdown table for right labels, and one for each task whose labels were permuted."""
    titles, rule = itp_runs.head('weighting', COLUMNS)
    lines = [f'right labels, seeds {seeds}', '', f'{titles} delta-m (%) |', f'{rule} ---: |']
    for case in CLEAN:
        runs = [folder / f'seed{seed}' for seed in seeds]
        change = '' if case.startswith('single') else spread([relative_change(run, case) for run in runs])
        lines.append(f'{itp_runs.row(case, [run / case for run in runs], COLUMNS)} {change} |')
    permuted = itp_runs.permuted_tables(folder, seeds, rates, GOALS, COLUMNS, PERMUTED)
    return '\n'.join(lines + permuted)


def relative_change(run: Path, case: str) -> float:
    """Return delta-m of a case against the single-task models of the same seed, in percent."""
    from mmfct.functional.delta_m import delta_m

    keys = [key for _, key, *_ in COLUMNS]
    single = itp_runs.read(run / 'single_seg/metrics.json') | itp_runs.read(run / 'single_depth/metrics.json')
    scores = itp_runs.read(run / case / 'metrics.json')
    errors = [key for key in keys if key.startswith('depth/')]
    return delta_m({k: scores[k] for k in keys}, {k: single[k] for k in keys}, lower_is_better=errors)


def main() -> None:
    """Run the measurement and print the tables."""
    args = itp_runs.itp_parser(__doc__, 'itp_street_scenes').parse_args()
    numbers = ['--num', '400', '--num-val', '200', '--seed', '0', '--size', '32', '64']
    data_root = itp_runs.render('tools/render_street_scenes.py', args.folder, *numbers)
    todo = cases(args.rates)
    runs = [(*case, seed, data_root, args.folder) for seed in args.seeds for case in todo.items()]
    for second in (False, True):  # only when every first pass has ranked its labels
        run_cases(run_case, [run for run in runs if itp_runs.is_second_pass(run[0]) == second], args.jobs)
    print(f'\n{tables(args.folder, args.seeds, args.rates)}')


if __name__ == '__main__':
    main()
