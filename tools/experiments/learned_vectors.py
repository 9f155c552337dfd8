"""Learn transformations between stored vectors of pretrained networks, and score every candidate on other photographs.

Reads what tools/experiments/pretrained_vectors.py writes. The pairs are `train` and `val`, in part or all; the new
photographs are `test`. Each seed draws other pairs and cuts other folds; with all pairs, other folds alone. `chosen`
is the candidate that learning takes by held-out pairs; `behind` says by how many points of recall@10 the best one
beats it on the new photographs. Cosine distance; an item never finds itself.

Example:
    python tools/experiments/learned_vectors.py work_dirs/caltech.npz --old lite0 --new lite2 --side lite1
    python tools/experiments/learned_vectors.py work_dirs/grocery.npz --keep-even --sizes 500 1350
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
import torch
from running import experiment_parser, run_cases

from mmfct.apis.learn_transform import LearnSettings, learn_transform
from mmfct.apis.learn_transform.candidates import fit_candidate
from mmfct.apis.learn_transform.judge import score
from mmfct.apis.learn_transform.mixture import mix
from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.apis.learn_transform.problem import Problem
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.transform.network import TransformNetwork
from mmfct.utils.tables import markdown_table
from mmfct.utils.user_errors import user_errors

SCORES = ('recall@1', 'recall@10', 'recall@100', 'cmc1', 'map')


def read_pairs(arguments: argparse.Namespace, splits: tuple[str, ...]) -> Pairs:
    """Read the vectors of some splits as pairs."""
    with np.load(arguments.vectors) as file:

        def column(name: str) -> np.ndarray:
            return np.concatenate([file[f'{split}_{name}'] for split in splits])

        labels = torch.from_numpy(column('label').astype(np.int64))
        kept = (labels % 2 == 0) if arguments.keep_even else torch.ones(len(labels), dtype=torch.bool)
        vectors = {role: torch.from_numpy(column(getattr(arguments, role)))[kept] for role in ('old', 'new', 'side')}
        models = {role: ModelIdentity.named(getattr(arguments, role)) for role in vectors}
        ids = column('path').astype(str)[kept.numpy()]
    return Pairs(ids, vectors['old'], vectors['new'], vectors['side'], labels[kept], models, 'cosine')


def run(arguments: argparse.Namespace, size: int | None, seed: int) -> str:
    """Learn from pairs of one seed, score every candidate on the new photographs, and note it in a file."""
    torch.set_num_threads(1)
    pairs, new = read_pairs(arguments, ('train', 'val')), read_pairs(arguments, ('test',))
    if size is not None:
        order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed))
        pairs = pairs.take(order[:size].sort().values)
    name = f'{Path(arguments.vectors).stem}_{arguments.old}_{arguments.new}_{len(pairs)}_{seed}'
    settings = LearnSettings(seed=seed)
    learned = learn_transform(pairs, arguments.folder / f'{name}.safetensors', settings=settings)
    problem = Problem.of(pairs)
    networks: dict[str, TransformNetwork] = {}
    for candidate in learned.candidates:
        if not learned.candidates[candidate].parts:
            networks[candidate] = fit_candidate(candidate, problem, settings)
    for candidate, found in learned.candidates.items():
        if found.parts:
            parts = [(weight, networks[part]) for part, weight in found.parts.items()]
            mixed = mix(parts, torch.zeros(new.new.shape[1]))
            shift = problem.new.mean(0) - mixed(problem.old, problem.side).mean(0)
            networks[candidate] = mix([(1.0, mixed)], shift)
    rows = {'new/new': score(new, new.new).means(), 'old/old': score(new, new.old, new.old).means()}
    rows |= {candidate: score(new, network(new.old, new.side)).means() for candidate, network in networks.items()}
    rows['chosen'] = rows[learned.chosen]
    best = max(rows[candidate]['recall@10'] for candidate in networks)
    result = dict(chosen=learned.chosen, behind=100 * (best - rows[learned.chosen]['recall@10']), rows=rows)
    (arguments.folder / f'{name}.json').write_text(json.dumps(dict(result, pairs=len(pairs))))
    return f'{name}: {learned.chosen}, {result["behind"]:.2f} behind'


def table(arguments: argparse.Namespace) -> str:
    """Return the means over seeds, with standard deviations, of what has been measured."""
    found: dict[int, list[dict]] = {}
    stem = f'{Path(arguments.vectors).stem}_{arguments.old}_{arguments.new}_'
    for path in sorted(arguments.folder.glob(f'{stem}*.json')):
        result = json.loads(path.read_text())
        found.setdefault(result['pairs'], []).append(result)
    rows = [['pairs', 'gallery', *SCORES, 'seeds']]
    for pairs, results in sorted(found.items()):
        names = [name for name in results[0]['rows'] if all(name in result['rows'] for result in results)]
        for name in names:
            cells = [[100 * result['rows'][name][score_name] for result in results] for score_name in SCORES]
            rows.append([f'{pairs:,}', name, *map(_cell, cells), str(len(results))])
        chosen = ', '.join(sorted({result['chosen'] for result in results}))
        behind = max(result['behind'] for result in results)
        rows.append([f'{pairs:,}', f'(chosen: {chosen}; at most {behind:.2f} behind)', *[''] * len(SCORES), ''])
    return markdown_table(rows)


def _cell(values: list[float]) -> str:
    spread = f' ± {statistics.stdev(values):.1f}' if len(values) > 1 else ''
    return f'{statistics.mean(values):.1f}{spread}'


def main() -> None:
    """Measure what is missing, and print the table."""
    parser = experiment_parser(__doc__, 'learned_vectors', jobs='runs at once, of one thread each')
    parser.add_argument('vectors', help='.npz file of pretrained_vectors.py')
    for role, name in (('old', 'lite0'), ('new', 'lite2'), ('side', 'lite1')):
        parser.add_argument(f'--{role}', default=name, help=f'network of the {role} vectors (default: {name})')
    parser.add_argument('--sizes', type=int, nargs='+', help='numbers of pairs (default: 500 2000 and all)')
    parser.add_argument('--keep-even', action='store_true', help='keep the classes with even numbers alone')
    arguments = parser.parse_args()
    with user_errors():
        arguments.folder.mkdir(parents=True, exist_ok=True)
        sizes = arguments.sizes or [500, 2000, None]
        run_cases(run, [(arguments, size, seed) for size in sizes for seed in arguments.seeds], arguments.jobs)
        print(table(arguments))


if __name__ == '__main__':
    main()
