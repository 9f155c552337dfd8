"""Measure FCT on Omniglot where old and new model differ in more than their classes: width, loss or data set.

Every case is one call of tools/train.py. Finished cases are skipped. Prints a Markdown table per update, mean ±
standard deviation over the seeds.

Example:
    python tools/experiments/fct_updates.py --seeds 0 1 2
"""

from __future__ import annotations

import json
from pathlib import Path

from fct_settings import SCORES
from running import ROOT, experiment_parser, run_tool
from spread import gap_note, percent

UPDATES = ('from_width64', 'to_arcface', 'from_digits')
SIDES = {'none': 'no side-information', 'simclr': 'SimCLR on half of the characters'}


def result_file(folder: Path, seed: int, update: str, side: str) -> Path:
    """Return the path of the results of a case, written by tools/train.py."""
    return ROOT / folder / f'seed{seed}' / f'resnet10_omniglot_half_{side}_121_{update}' / 'compatibility.json'


def run_seed(seed: int, folder: Path) -> None:
    """Run the unfinished cases of one seed, with one thread."""
    for update in UPDATES:
        for side in SIDES:
            if result_file(folder, seed, update, side).exists():
                continue
            options = [f'seed={seed}', f'side={side}', f'work_root={folder / f"seed{seed}"}']
            run_tool('tools/train.py', f'configs/fct/resnet10_omniglot_{update}.py', '--cfg-options', *options)


def table(seeds: list[int], folder: Path, update: str) -> str:
    """Return the Markdown table of one update."""
    results = {
        (side, seed): json.loads(result_file(folder, seed, update, side).read_text())
        for side in SIDES
        for seed in seeds
    }
    rows = [('old/old', 'none', 'old/old')]
    rows += [(f'new/h(old): FCT, {title}', side, 'new/upgraded') for side, title in SIDES.items()]
    rows.append(('new/new', 'none', 'new/new'))
    lines = ['| query/gallery | CMC-1 | CMC-5 | mAP | mAP gap recovered |', '| --- | ---: | ---: | ---: | ---: |']
    for name, side, pair in rows:
        cells = [percent([results[side, seed][f'compatibility/{pair}_{score}'] for seed in seeds]) for score in SCORES]
        gains = [results[side, seed]['compatibility/update_gain_map'] for seed in seeds]
        cells.append(percent(gains) if pair == 'new/upgraded' else '')
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    every = [scores['compatibility/update_gain_map'] for scores in results.values()]
    return '\n'.join([*lines, *gap_note(every)])


def main() -> None:
    """Run the measurement and print the tables."""
    parser = experiment_parser(__doc__, 'fct_updates')
    args = parser.parse_args()
    for seed in args.seeds:
        run_seed(seed, args.folder)
    for update in UPDATES:
        print(f'\n{update}, seeds {args.seeds}\n\n{table(args.seeds, args.folder, update)}')


if __name__ == '__main__':
    main()
