"""Measure a gallery of which a part is upgraded, between the adapter alone (0 %) and the upgraded gallery (100 %).

Every seed splits the images of tools/experiments/pretrained_vectors.py into pairs, from which a transformation of the
gallery (with side-information) and an adapter of queries are learned, and 1,500 other images, which are gallery and
queries; an item never finds itself. The upgraded items are drawn at random, or are those of some classes, as a
backfill in the order of folders has them. The rules to merge the two result lists are those of merging.py.

Prints a Markdown table per data set and order, in percent, mean ± standard deviation over the seeds.

Example:
    python tools/experiments/mixed_serving.py work_dirs/caltech.npz
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from merging import RULES, merge
from pretrained_vectors import SPLITS
from running import experiment_parser, run_cases
from spread import percent
from torch import Tensor

from mmfct.apis.learn_transform import LearnSettings
from mmfct.apis.learn_transform.candidates import fit_candidate
from mmfct.apis.learn_transform.pairs import Pairs
from mmfct.apis.learn_transform.problem import Problem
from mmfct.functional import pairwise_distances
from mmfct.functional.neighbour_recall import neighbour_recall
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.utils.tables import markdown_table
from mmfct.utils.user_errors import user_errors

TEST_ROWS = 1500
SHARES = (0.1, 0.5, 0.9)
ORDERS = ('random', 'by class')
SCORES = ('recall@10', 'CMC-1', 'mAP')


def read_split(data: str, networks: tuple[str, str, str], seed: int) -> tuple[Pairs, Pairs]:
    """Split all images at random into pairs to learn from and `TEST_ROWS` others.

    Args:
        data: File of tools/experiments/pretrained_vectors.py.
        networks: Old and new network, and that of the side-information.
        seed: Seed of the split.
    """
    with np.load(data) as arrays:

        def column(name: str) -> np.ndarray:
            return np.concatenate([arrays[f'{split}_{name}'] for split in SPLITS])

        old, new, side = (torch.from_numpy(column(network)) for network in networks)
        labels = torch.from_numpy(column('label').astype(np.int64))
    models = {role: ModelIdentity.named(name) for role, name in zip(('old', 'new', 'side'), networks, strict=True)}
    pairs = Pairs(np.arange(len(labels)).astype(str), old, new, side, labels, models, 'cosine')
    order = torch.from_numpy(np.random.default_rng(seed).permutation(len(labels)))
    return pairs.take(order[TEST_ROWS:]), pairs.take(order[:TEST_ROWS])


def upgrade_order(labels: Tensor, order: str, seed: int) -> Tensor:
    """Return the items (N,) in the order in which they are upgraded."""
    if order == 'random':
        return torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    return labels.argsort(stable=True)


def score(distances: Tensor, right: Tensor, labels: Tensor) -> dict[str, float]:
    """Score a ranking of N items by each of them, of shape (N, N), inf on the diagonal.

    Args:
        distances: What items are ranked by.
        right: Neighbours in the gallery of the new network, of shape (N, 10).
        labels: Classes of shape (N,).
    """
    ranking = distances.argsort(dim=1, stable=True)[:, :-1]
    matches = (labels[ranking] == labels[:, None]).double()
    counted = matches.any(dim=1)
    matches = matches[counted]
    precision = matches.cumsum(dim=1) / torch.arange(1, matches.shape[1] + 1)
    values = (
        neighbour_recall(ranking, right, right.shape[1]).mean(),
        matches[:, 0].mean(),
        ((precision * matches).sum(dim=1) / matches.sum(dim=1)).mean(),
    )
    return dict(zip(SCORES, (value.item() for value in values), strict=True))


def run_case(data: str, networks: tuple[str, str, str], seed: int, file: Path) -> str:
    """Learn and measure everything of one seed, and write the results as JSON."""
    torch.set_num_threads(1)
    pairs, others = read_split(data, networks, seed)
    settings = LearnSettings(seed=seed)
    transformation = fit_candidate('ridge+side', Problem.of(pairs), settings)
    adapter = fit_candidate('ridge', Problem.of(pairs.reversed()), settings)
    assert others.side is not None and others.labels is not None
    own = torch.eye(len(others), dtype=torch.bool)
    goal, new, old, before = (
        pairwise_distances(query.double(), gallery.double(), 'cosine').masked_fill(own, torch.inf)
        for query, gallery in (
            (others.new, others.new),
            (others.new, transformation(others.old, others.side)),
            (adapter(others.new), others.old),
            (others.old, others.old),
        )
    )
    right = goal.argsort(dim=1)[:, :10]
    rows: dict[str, Any] = {
        name: score(distances, right, others.labels)
        for name, distances in (('new/new', goal), ('old/old', before), ('0', old), ('100', new))
    }
    for order in ORDERS:
        items = upgrade_order(others.labels, order, seed)
        for share in SHARES:
            upgraded = items[: round(share * len(items))]
            rows[f'{order} {100 * share:g}'] = {
                rule: score(merge(rule, old, new, upgraded, seed), right, others.labels) for rule in RULES
            }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(rows))
    return f'{data}, seed {seed}'


def table(results: list[dict[str, Any]], order: str) -> str:
    """Return the Markdown table of one order, from the results of the seeds."""

    def cells(scores: list[dict[str, float]]) -> list[str]:
        return [percent([one[name] for one in scores]) for name in SCORES]

    lines = [['upgraded (%)', 'merged by', *SCORES]]
    lines.append(['0', 'adapter alone', *cells([result['0'] for result in results])])
    for share in SHARES:
        for rule in RULES:
            key = f'{order} {100 * share:g}'
            lines.append([f'{100 * share:g}', rule, *cells([result[key][rule] for result in results])])
    for key, title in (('100', 'new/h(old)'), ('old/old', 'old/old'), ('new/new', 'new/new')):
        lines.append([key if key == '100' else '', title, *cells([result[key] for result in results])])
    return markdown_table(lines)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = experiment_parser(__doc__, 'mixed_serving', jobs='seeds to run in parallel, of one thread each')
    parser.add_argument('data', nargs='+', help='files of tools/experiments/pretrained_vectors.py')
    parser.add_argument(
        '--networks',
        nargs=3,
        default=['lite0', 'lite2', 'lite1'],
        metavar=('OLD', 'NEW', 'SIDE'),
        help='networks of the old and new vectors and of the side-information (default: lite0 lite2 lite1)',
    )
    return parser.parse_args()


def main() -> None:
    """Run what is missing and print the tables."""
    args = parse_args()
    networks = tuple(args.networks)
    files = {
        data: [args.folder / f'{Path(data).stem}_{"_".join(networks)}_{seed}.json' for seed in args.seeds]
        for data in args.data
    }
    missing = [
        (data, networks, seed, file)
        for data in args.data
        for seed, file in zip(args.seeds, files[data], strict=True)
        if not file.exists()
    ]
    with user_errors():
        run_cases(run_case, missing, args.jobs)
    for data in args.data:
        results = [json.loads(file.read_text()) for file in files[data]]
        for order in ORDERS:
            print(f'\n{data}, {" -> ".join(networks[:2])}, upgraded {order}, seeds {args.seeds}\n')
            print(table(results, order))


if __name__ == '__main__':
    main()
