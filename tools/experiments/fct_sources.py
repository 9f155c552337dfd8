"""Measure FCT on Omniglot with side-information of several sources and widths, and the bytes that an item stores.

Every case is one call of tools/train.py. Finished cases are skipped, and trainings of fct_settings.py and
fct_methods.py are reused. Prints a Markdown table per setting, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/fct_sources.py --seeds 0 1 2 --settings tenth
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from fct_settings import SCORES
from running import ROOT, experiment_parser, run_tool
from spread import gap_note, percent

SETTINGS = ('half', 'tenth', 'coarse')
OLD_DIMS = 128


class Source(NamedTuple):
    """A row of the table: the source of side-information, and its width."""

    title: str
    options: dict[str, str | int]
    dims: int

    @property
    def config(self) -> str:
        """The stem of the config that has this source."""
        return 'resnet10_omniglot' + ('' if 'side' in self.options else '_sources')


SOURCES = (
    Source('none', dict(side='none'), 0),
    Source('shared-backbone neck', dict(side='shared'), 128),
    Source('SimCLR, 16-d', dict(source='simclr', side_dims=16), 16),
    Source('SimCLR, 32-d', dict(source='simclr', side_dims=32), 32),
    Source('SimCLR, 64-d', dict(source='simclr', side_dims=64), 64),
    Source('SimCLR, 128-d', dict(side='simclr'), 128),
    Source('SimCLR, 256-d', dict(source='simclr', side_dims=256), 256),
    Source('SimCLR, 512-d', dict(source='simclr', side_dims=512), 512),
    Source('autoencoder, 128-d', dict(source='autoencoder'), 128),
    Source('a second old model, 128-d', dict(source='supervised'), 128),
    Source('SimCLR and a second old model, 128-d each', dict(source='simclr+supervised'), 256),
)


def result_file(folder: Path, seed: int, setting: str, source: Source) -> Path:
    """Return the path of the results of a case, written by tools/train.py."""
    classes = 121 if setting == 'half' else 242
    options = source.options
    name = options['side'] if 'side' in options else f'{options["source"]}{options.get("side_dims", 128)}'
    case = f'resnet10_omniglot_{setting}_{name}_{classes}'
    return ROOT / folder / 'omniglot' / f'seed{seed}' / case / 'compatibility.json'


def run_seed(seed: int, settings: list[str], folder: Path) -> None:
    """Run the unfinished cases of one seed, with one thread."""
    for setting in settings:
        for source in SOURCES:
            if result_file(folder, seed, setting, source).exists():
                continue
            options = [f'{key}={value}' for key, value in source.options.items()]
            options += [f'seed={seed}', f'setting={setting}', f'work_root={folder / "omniglot" / f"seed{seed}"}']
            run_tool('tools/train.py', f'configs/fct/{source.config}.py', '--cfg-options', *options)


def table(seeds: list[int], setting: str, folder: Path) -> str:
    """Return the Markdown table of one setting."""
    results = [
        [json.loads(result_file(folder, seed, setting, source).read_text()) for seed in seeds] for source in SOURCES
    ]
    lines = [
        '| side-information | bytes per item | CMC-1 | CMC-5 | mAP | mAP gap recovered |',
        '| --- | ---: | ---: | ---: | ---: | ---: |',
        row('old/old', 'old/old', 4 * OLD_DIMS, results[0]),
    ]
    for source, found in zip(SOURCES, results, strict=True):
        lines.append(row(source.title, 'new/upgraded', 4 * (OLD_DIMS + source.dims), found))
    every = [result['compatibility/update_gain_map'] for found in results for result in found]
    return '\n'.join([*lines, row('new/new', 'new/new', 4 * OLD_DIMS, results[0]), *gap_note(every)])


def row(title: str, pair: str, stored: int, results: list[dict[str, float]]) -> str:
    """Return a line of the table."""
    cells = [percent([result[f'compatibility/{pair}_{score}'] for result in results]) for score in SCORES]
    gains = [result['compatibility/update_gain_map'] for result in results]
    cells.append(percent(gains) if pair == 'new/upgraded' else '')
    return f'| {title} | {stored:,} | {" | ".join(cells)} |'


def main() -> None:
    """Run what is missing and print the tables."""
    parser = experiment_parser(__doc__, 'fct_settings')
    parser.add_argument(
        '--settings', nargs='+', choices=SETTINGS, default=['tenth'], help='what the old model knows (default: tenth)'
    )
    args = parser.parse_args()
    for seed in args.seeds:
        run_seed(seed, args.settings, args.folder)
    for setting in args.settings:
        print(f'\nOmniglot, {setting}, seeds {args.seeds}, percent\n\n{table(args.seeds, setting, args.folder)}')


if __name__ == '__main__':
    main()
