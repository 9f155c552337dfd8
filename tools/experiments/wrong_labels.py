"""Measure how well wrong labels are found on rendered street scenes: calibration, and kinds of errors.

Every case trains `configs/itp/unet_street_scenes.py` once, with errors in both tasks, and ranks the labels. Finished
cases are skipped, so run the same command again after an interruption. Prints two Markdown tables. Calibration: for
each share of permuted labels, how often the interval contains the truth, how many of the labels with a probability of
0.8 or more are wrong, and how many right labels are flagged. Kinds: what is found where 20 % of the labels are wrong
in another way.

Example:
    python tools/experiments/wrong_labels.py --seeds 0 1 2 3 4 --jobs 2
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import itp_runs
from running import ROOT, experiment_parser, run_cases
from spread import percent, spread

CONFIG = str(ROOT / 'configs/itp/unet_street_scenes.py')
TASKS = ('depth', 'seg')
SHARES = (0.0, 0.1, 0.2, 0.4)
SHARE = 0.2  # of labels with an error of another kind
SURE = 0.8
# Road and building, of the seven classes of CityScapes' groups
SWAPPED = dict(type='swapped', classes=(0, 1))
KINDS: dict[str, dict] = {
    'half': dict(depth='half', seg='half'),
    'mirrored': dict(depth='mirrored', seg='mirrored'),
    'shifted': dict(depth='shifted', seg='shifted'),
    'scaled, swapped': dict(depth='scaled', seg=SWAPPED),
}


def cases(seeds: Sequence[int], kind_seeds: int, shares: Sequence[float] = SHARES) -> list[tuple[str, dict, int]]:
    """Return name, options and seed of every case; kinds of errors for the first seeds only."""
    found = []
    for number, seed in enumerate(seeds):
        for share in shares:
            found.append((share_name(share), dict(corrupted_depth=share, corrupted_seg=share), seed))
        if number < kind_seeds:
            for kind, errors in KINDS.items():
                options = dict(corrupted_depth=SHARE, corrupted_seg=SHARE)
                options |= {f'{task}_error': error for task, error in errors.items()}
                found.append((kind_name(kind), options, seed))
    return found


def share_name(share: float) -> str:
    """Return the name of a case of the calibration."""
    return f'share{round(100 * share)}_itp'


def kind_name(kind: str) -> str:
    """Return the name of a case of another kind of error."""
    return f'{kind.replace(", ", "_")}_itp'


def run_case(name: str, options: dict, seed: int, data_root: str, folder: Path) -> str:
    """Run a case of a seed unless it is finished; return its name."""
    options = dict(options, weighting='itp', seed=seed, data_root=data_root)
    itp_runs.run_case(CONFIG, folder / f'seed{seed}' / name, options)
    return f'{name}, seed {seed}'


def calibration_table(folder: Path, seeds: Sequence[int], shares: Sequence[float]) -> list[str]:
    """Return a row for each share and task."""
    lines = [
        f'| wrong labels | task | estimated | in the interval | wrong of P >= {SURE} | found | right ones flagged |',
        '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
    ]
    for share in shares:
        for task in TASKS:
            runs = [folder / f'seed{seed}' / share_name(share) / 'suspects' for seed in seeds]
            found = [itp_runs.read(run / 'detection.json')[task] for run in runs]
            tables = [read_suspects(run / f'suspects_{task}.csv') for run in runs]
            inside = sum(entry['interval'][0] <= share <= entry['interval'][1] for entry in found)
            sure = [wrong for table in tables for probability, wrong in table if probability >= SURE]
            right = [probability >= 0.5 for table in tables for probability, wrong in table if not wrong]
            cells = [
                f'{share:.0%}',
                task,
                spread([entry['share'] for entry in found], 100),
                f'{inside} of {len(runs)}',
                f'{sum(sure)} of {len(sure)}',
                percent([entry['recall'] for entry in found]),
                f'{sum(right)} of {len(right)}',
            ]
            lines.append(f'| {" | ".join(cells)} |')
    return lines


def kind_table(folder: Path, seeds: Sequence[int]) -> list[str]:
    """Return a row for each kind of error and task, and one for permuted labels."""
    lines = [
        '| error | task | AUROC | of the final loss | estimated (%) | precision (%) | recall (%) |',
        '| --- | --- | ---: | ---: | ---: | ---: | ---: |',
    ]
    names = {'permuted': share_name(SHARE)} | {kind: kind_name(kind) for kind in KINDS}
    for kind, name in names.items():
        words = kind.split(', ')
        for word, task in zip(words * 2 if len(words) == 1 else words, TASKS, strict=True):
            found = [itp_runs.read(folder / f'seed{seed}' / name / 'suspects/detection.json')[task] for seed in seeds]
            cells = [
                word,
                task,
                *(
                    spread([entry['rankings'][ranking]['auroc'] for entry in found], digits=3)
                    for ranking in ('rank', 'final_loss')
                ),
                spread([entry['share'] for entry in found], 100),
                percent([entry['precision'] for entry in found]),
                percent([entry['recall'] for entry in found]),
            ]
            lines.append(f'| {" | ".join(cells)} |')
    return lines


def read_suspects(path: Path) -> list[tuple[float, bool]]:
    """Read probability, NaN without evidence, and truth of every label."""
    with path.open(newline='') as file:
        return [(float(row['probability'] or 'nan'), row['corrupted'] == '1') for row in csv.DictReader(file)]


def main() -> None:
    """Run the measurement and print the tables."""
    parser = experiment_parser(__doc__, 'wrong_labels', jobs='trainings to run in parallel, one thread each')
    parser.add_argument('--kind-seeds', type=int, default=3, help='seeds of the kinds of errors (default: 3)')
    parser.add_argument(
        '--shares', type=float, nargs='+', default=SHARES, help='shares of permuted labels (default: 0 0.1 0.2 0.4)'
    )
    args = parser.parse_args()
    numbers = ['--num', '400', '--num-val', '200', '--seed', '0', '--size', '32', '64']
    data_root = itp_runs.render('tools/render_street_scenes.py', args.folder, *numbers)
    runs = [(*case, data_root, args.folder) for case in cases(args.seeds, args.kind_seeds, args.shares)]
    run_cases(run_case, runs, args.jobs)
    lines = ['', f'seeds {args.seeds}', '', *calibration_table(args.folder, args.seeds, args.shares)]
    if args.kind_seeds:
        lines += ['', *kind_table(args.folder, args.seeds[: args.kind_seeds])]
    print('\n'.join(lines))


if __name__ == '__main__':
    main()
