"""Measure FCT on real data, for every setting (what the old model knows), source of side-information and seed.

Every case is one call of tools/train.py. Finished cases are skipped, so run the same command again after an
interruption. Prints a Markdown table per setting, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/fct_settings.py omniglot --seeds 0 1 2 --jobs 2
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from running import ROOT, experiment_parser, run_tool
from spread import gap_note, percent

CONFIGS = {
    'omniglot': ('configs/fct/resnet10_omniglot.py', dict(half=121, tenth=24, all=242)),
    'grocery': ('configs/fct/resnet10_grocery.py', dict(half=40, tenth=8, all=81)),
}
# Setting: [(title of the row, source of side-information, classes whose unlabelled images it sees), ...]
CASES = {
    'half': [
        ('FCT, no side-information', 'none', 'half'),
        ('FCT, SimCLR on the old half', 'simclr', 'half'),
        ('FCT, shared-backbone neck, the old half', 'shared', 'half'),
    ],
    'tenth': [
        ('FCT, no side-information', 'none', 'all'),
        ('FCT, SimCLR on all images', 'simclr', 'all'),
        ('FCT, SimCLR on the tenth', 'simclr', 'tenth'),
        ('FCT, shared-backbone neck, all images', 'shared', 'all'),
    ],
    'coarse': [
        ('FCT, no side-information', 'none', 'all'),
        ('FCT, SimCLR on all images', 'simclr', 'all'),
        ('FCT, shared-backbone neck, all images', 'shared', 'all'),
    ],
}
SCORES = ('cmc1', 'cmc5', 'map')


def run_seed(data: str, seed: int, folder: Path, further: Sequence[str] = ()) -> None:
    """Run every case of one seed, with one thread so that several seeds can share a machine."""
    config, classes = CONFIGS[data]
    for setting, cases in CASES.items():
        for _, side, seen in cases:
            if result_file(folder, data, seed, setting, side, classes[seen]).exists():
                continue
            options = [f'seed={seed}', f'setting={setting}', f'side={side}', f'side_classes={classes[seen]}']
            options.append(f'work_root={folder / data / f"seed{seed}"}')
            options += further
            run_tool('tools/train.py', config, '--cfg-options', *options)


def result_file(folder: Path, data: str, seed: int, setting: str, side: str, seen: int) -> Path:
    """Return the path of the results of a case, written by tools/train.py."""
    stem = Path(CONFIGS[data][0]).stem
    return ROOT / folder / data / f'seed{seed}' / f'{stem}_{setting}_{side}_{seen}' / 'compatibility.json'


def table(data: str, seeds: list[int], folder: Path, setting: str) -> str:
    """Return the Markdown table of one setting."""
    classes = CONFIGS[data][1]
    results = {
        (title, seed): json.loads(result_file(folder, data, seed, setting, side, classes[seen]).read_text())
        for title, side, seen in CASES[setting]
        for seed in seeds
    }
    first = CASES[setting][0][0]
    rows = [('old/old', first, 'old/old'), ('new/old, no transformation', first, 'new/old')]
    rows += [(f'new/h(old): {title}', title, 'new/upgraded') for title, _, _ in CASES[setting]]
    rows.append(('new/new', first, 'new/new'))
    lines = ['| query/gallery | CMC-1 | CMC-5 | mAP | mAP gap recovered |', '| --- | ---: | ---: | ---: | ---: |']
    for row, title, pair in rows:
        found = [results[title, seed] for seed in seeds]
        cells = [percent([scores[f'compatibility/{pair}_{name}'] for scores in found]) for name in SCORES]
        gains = [scores['compatibility/update_gain_map'] for scores in found]
        cells.append(percent(gains) if pair == 'new/upgraded' else '')
        lines.append(f'| {row} | ' + ' | '.join(cells) + ' |')
    every = [scores['compatibility/update_gain_map'] for scores in results.values()]
    return '\n'.join([*lines, *gap_note(every)])


def main() -> None:
    """Run the measurement and print the tables."""
    parser = experiment_parser(__doc__, 'fct_settings', jobs='seeds to run in parallel')
    parser.add_argument('data', choices=sorted(CONFIGS), help='data set')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='options of every case; finished cases in --folder are not repeated, so give another folder',
    )
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda seed: run_seed(args.data, seed, args.folder, args.cfg_options), args.seeds))
    for setting in CASES:
        print(f'\n{args.data}, {setting}, seeds {args.seeds}\n\n{table(args.data, args.seeds, args.folder, setting)}')


if __name__ == '__main__':
    main()
