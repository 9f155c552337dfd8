"""Measure FCT over two updates, v1 -> v2 -> v3, with the side-information of v1: direct and chained upgrades.

Trains three versions of the model and the transformations between them, makes a gallery of every version, upgrades
those of v1 and v2, and scores the queries of every version against every gallery. Finished seeds are reused. Prints a
Markdown table of mAP in percent, mean ± standard deviation over the seeds: queries in columns, galleries in rows.

Example:
    python tools/experiments/fct_sequence.py --seeds 0 1 2
"""

from __future__ import annotations

import json
from pathlib import Path

from running import ROOT, experiment_parser, run_tool
from spread import percent

CONFIG = 'configs/fct/resnet10_omniglot_sequence.py'
STEPS = ('v1-v2', 'v2-v3', 'v1-v3')
VERSIONS = ('v1', 'v2', 'v3')
# Upgraded gallery: (source gallery, transformations)
UPGRADES = {
    'v1-v2': ('v1', ['v1-v2']),
    'v1-v2-v3': ('v1', ['v1-v2', 'v2-v3']),
    'v1-v3': ('v1', ['v1-v3']),
    'v2-v3': ('v2', ['v2-v3']),
}


def run_seed(seed: int, root: Path) -> dict[str, float | None]:
    """Run everything of one seed; return the mAP of each ``query/gallery``."""
    report = root / 'report'
    if not (ROOT / report / 'compatibility.json').exists():
        for step in STEPS:
            options = ['--cfg-options', f'seed={seed}', f'step={step}', f'work_root={root}']
            run_tool('tools/train.py', CONFIG, *options)
            checkpoint = root / f'resnet10_omniglot_sequence_{step}' / 'final.pth'
            run_tool('tools/export_transform.py', CONFIG, checkpoint, root / f'{step}.safetensors', *options)
        for version, role, step in (('v1', 'old', 'v1-v2'), ('v2', 'old', 'v2-v3'), ('v3', 'new', 'v1-v3')):
            options = ['--cfg-options', f'seed={seed}', f'step={step}', f'work_root={root}']
            checkpoint = root / f'resnet10_omniglot_{version}' / 'final.pth'
            run_tool('tools/extract_gallery.py', CONFIG, checkpoint, root / version, '--role', role, *options)
        for name, (source, steps) in UPGRADES.items():
            transforms = [root / f'{step}.safetensors' for step in steps]
            run_tool('tools/upgrade_gallery.py', root / source, *transforms, root / name)
        queries = [f'{version}={root / version}' for version in VERSIONS]
        galleries = [f'{name}={root / name}' for name in (*VERSIONS, *UPGRADES)]
        also = [f'{query}/{gallery}' for query in VERSIONS for gallery in (*VERSIONS, *UPGRADES)]
        words = ['--query', *queries, '--gallery', *galleries, '--also', *also, '--out', report]
        run_tool('tools/evaluate_compatibility.py', *words)
    pairs = json.loads((ROOT / report / 'compatibility.json').read_text())['pairs']
    return {pair: scores['map'] for pair, scores in pairs.items()}


def table(results: list[dict[str, float | None]]) -> str:
    """Return the Markdown table."""
    lines = [
        f'| gallery | {" | ".join(f"{version} queries" for version in VERSIONS)} |',
        '| --- | ---: | ---: | ---: |',
    ]
    for gallery in ('v1', 'v1-v2', 'v2', 'v1-v2-v3', 'v1-v3', 'v2-v3', 'v3'):
        cells = []
        for query in VERSIONS:
            cells.append(percent([result[f'{query}/{gallery}'] for result in results]))
        lines.append(f'| {gallery} | {" | ".join(cells)} |')
    return '\n'.join(lines)


def main() -> None:
    """Run what is missing and print the table."""
    parser = experiment_parser(__doc__, 'fct_sequence')
    args = parser.parse_args()
    results = [run_seed(seed, args.folder / f'seed{seed}') for seed in args.seeds]
    print(f'\nOmniglot, mAP, seeds {args.seeds}\n\n{table(results)}')


if __name__ == '__main__':
    main()
