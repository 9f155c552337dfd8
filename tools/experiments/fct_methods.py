"""Compare methods on real data, for every setting (what the old model knows) and seed.

Every case trains the new model of BCT with tools/train.py and runs tools/compare_methods.py with all methods; with
--methods, only those, without BCT. Finished trainings are reused, also those of tools/experiments/fct_settings.py.
Prints a Markdown table per setting, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/fct_methods.py omniglot --seeds 0 1 2 --jobs 2
    python tools/experiments/fct_methods.py omniglot --settings half --methods fct+side lambda-orthogonality+side
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

from fct_settings import CONFIGS
from running import ROOT, experiment_parser, run_tool
from spread import gap_note, percent

SETTINGS = ('half', 'tenth', 'coarse')
BOUNDS = ('old/old', 'new/old', 'new/new')
Result = dict[str, Any]


def run_seed(data: str, seed: int, settings: list[str], folder: Path, methods: Sequence[str] = ()) -> None:
    """Run every setting of one seed, with one thread so that several seeds can share a machine."""
    for setting in settings:
        file = result_file(folder, data, seed, setting)
        if file.exists() and set(methods) <= json.loads(file.read_text())['methods'].keys():
            continue
        root = folder / data / f'seed{seed}'
        options = [f'seed={seed}', f'setting={setting}', f'work_root={root}']
        config = CONFIGS[data][0]
        if methods:
            run_tool('tools/compare_methods.py', config, '--methods', *methods, '--cfg-options', *options)
            continue
        run_tool('tools/train.py', config.replace('/fct/', '/bct/'), '--cfg-options', *options)
        aligned = f'bct={root / f"resnet10_{data}_bct_{setting}" / "final.pth"}'
        run_tool('tools/compare_methods.py', config, '--aligned', aligned, '--cfg-options', *options)


def result_file(folder: Path, data: str, seed: int, setting: str) -> Path:
    """Return the path of the results of a case, written by tools/compare_methods.py."""
    config, classes = CONFIGS[data]
    case = f'{Path(config).stem}_{setting}_simclr_{classes["half" if setting == "half" else "all"]}'
    return ROOT / folder / data / f'seed{seed}' / case / 'methods' / 'methods.json'


def cell(results: list[Result], value: Callable[[Result], float | None]) -> str:
    """Return the mean and standard deviation in percent, or ``-`` if a result lacks the value."""
    return percent([value(result) for result in results])


def table(results: list[Result], methods: Sequence[str] = ()) -> str:
    """Return the Markdown table of one setting, for these methods or for all."""
    names = ('CMC-1', 'CMC-5', 'mAP', 'mAP gap recovered', 'lost queries', 'area CMC-1', 'area mAP', 'new/new mAP')
    lines = [f'| gallery | {" | ".join(names)} |', f'| --- |{" ---: |" * len(names)}']
    for pair in BOUNDS:
        cells = [percent([result['bounds'][pair][score] for result in results]) for score in ('cmc1', 'cmc5', 'map')]
        lines.append(f'| {pair} | {" | ".join([*cells, *[""] * 5])} |')
    for method in methods or results[0]['methods']:
        readers: list[Callable[[Result], float | None]] = [
            *(lambda m, s=score: m['scores'][s] for score in ('cmc1', 'cmc5', 'map')),
            lambda m: m['gains']['map'],
            lambda m: m['negative_flips'],
            *(lambda m, s=score: area(m['curves'][s]) for score in ('cmc1', 'map')),
            lambda m: m['goal']['map'],
        ]
        cells = [cell([result['methods'][method] for result in results], reader) for reader in readers]
        lines.append(f'| {method} | {" | ".join(cells)} |')
    # A method that could not be compared with the new model lacks its scores too.
    compared = [
        method for result in results for method in result['methods'].values() if None not in method['scores'].values()
    ]
    return '\n'.join([*lines, *gap_note([method['gains']['map'] for method in compared])])


def area(curve: list[float | None]) -> float | None:
    """Return the area under a backfilling curve: the mean of its points."""
    numbers = [number for number in curve if number is not None]
    return mean(numbers) if len(numbers) == len(curve) else None


def main() -> None:
    """Run what is missing and print the tables."""
    parser = experiment_parser(__doc__, 'fct_settings', jobs='seeds to run in parallel')
    parser.add_argument('data', choices=CONFIGS, help='data set')
    parser.add_argument(
        '--settings',
        nargs='+',
        choices=SETTINGS,
        default=list(SETTINGS),
        help='what the old model knows (default: all)',
    )
    parser.add_argument(
        '--methods', nargs='+', default=[], help='methods of tools/compare_methods.py (default: all, and BCT)'
    )
    args = parser.parse_args()
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda seed: run_seed(args.data, seed, args.settings, args.folder, args.methods), args.seeds))
    for setting in args.settings:
        results = [json.loads(result_file(args.folder, args.data, seed, setting).read_text()) for seed in args.seeds]
        print(f'\n{args.data}, {setting}, seeds {args.seeds}, percent\n\n{table(results, args.methods)}')


if __name__ == '__main__':
    main()
