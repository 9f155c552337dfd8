"""Compare the ways to choose which items the new model embeds, by the transformation that is learned from them.

Every seed splits the images of tools/experiments/pretrained_vectors.py into a gallery of the old network and 1,500
other images. Items of the gallery are chosen as tools/plan_sample.py does, ridge regression learns from their pairs,
and the score is recall@10 of the neighbours among the other images: how many of the new network's own neighbours a new
query finds in the upgraded ones. Files that are joined by a plus sign are one gallery; `:0.1` behind a file keeps a
tenth of its part of the gallery, for a gallery with a rare kind of images.

Prints a Markdown table per data set: recall@10 in percent, mean ± standard deviation over the seeds; the difference to
random choices of the same seed; and the mean cosine distance of the gallery to the sample.

Example:
    python tools/experiments/plan_sample.py work_dirs/caltech.npz work_dirs/grocery.npz
    python tools/experiments/plan_sample.py work_dirs/grocery.npz+work_dirs/caltech.npz:0.1 --sizes 500 2000
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pretrained_vectors import SPLITS
from running import experiment_parser, run_cases
from spread import percent, spread

from mmfct.apis.plan_sample.choice import METHODS, choose_rows
from mmfct.apis.plan_sample.plan import measure_coverage
from mmfct.apis.plan_sample.pool import Pool
from mmfct.functional.linear_fits import Moments, fit_ridge
from mmfct.functional.neighbour_recall import nearest_rows, neighbour_recall
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.utils.tables import markdown_table
from mmfct.utils.user_errors import user_errors

TEST_ROWS = 1500
NEIGHBOURS = 10
Pairs = tuple[np.ndarray, np.ndarray]


def parts_of(data: str) -> list[tuple[str, str, str]]:
    """Split files that are joined by plus signs into their names, colons and shares, the last two empty or not."""
    return [name.partition(':') for name in data.split('+')]


def read_split(data: str, networks: tuple[str, str], seed: int) -> tuple[Pairs, list[Pairs]]:
    """Split all images of one or several files at random.

    Args:
        data: Files of vectors, joined by ``+``, each with the share of its part of the gallery to keep after a colon.
        networks: The old and the new network.
        seed: Seed of the split.

    Returns:
        Unit vectors of the gallery, by the old and the new network, float32 of shapes (G, D) and (G, D'); and those
        of the other images, for each file.
    """
    rng = np.random.default_rng(seed)
    gallery, others = [], []
    for file, _, share in parts_of(data):
        with np.load(file) as arrays:
            vectors = [np.concatenate([arrays[f'{split}_{one}'] for split in SPLITS]) for one in networks]
        vectors = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in vectors]
        order = rng.permutation(len(vectors[0]))
        kept = order[TEST_ROWS:][: round(float(share or 1) * (len(order) - TEST_ROWS))]
        gallery.append([rows[kept] for rows in vectors])
        old, new = (rows[order[:TEST_ROWS]] for rows in vectors)
        others.append((old, new))
    old, new = (np.concatenate(part) for part in zip(*gallery, strict=True))
    return (old, new), others


def write_vectors(vectors: np.ndarray, folder: Path) -> Gallery:
    """Write unit vectors of shape (G, D) as a gallery that is compared by cosine."""
    metadata = Provenance(ModelIdentity.named('old'), distance='cosine').to_metadata()
    columns = dict(embedding=('float32', vectors.shape[1]), id=('<U8', None))
    rows = len(vectors)
    writer = GalleryWriter(folder, columns=columns, num_rows=rows, shard_rows=rows, metadata=metadata)
    writer.write_shard(0, dict(embedding=vectors, id=np.array([f'{row:08d}' for row in range(rows)])))
    writer.finish()
    return Gallery(folder)


def score(chosen: Pairs, others: list[Pairs]) -> list[float]:
    """Learn ridge regression from pairs (N, D), (N, D'); return recall@10 of neighbours among each of the others."""
    pairs = tuple(map(torch.from_numpy, chosen))
    fit = fit_ridge(Moments.of(*pairs), *pairs)
    recalls = []
    for old, new in others:
        queries, own = torch.from_numpy(new), torch.arange(len(new))
        right = nearest_rows(queries, queries, NEIGHBOURS, own_rows=own)
        found = nearest_rows(queries, fit.map(torch.from_numpy(old)), NEIGHBOURS, own_rows=own)
        recalls.append(neighbour_recall(found, right, NEIGHBOURS).mean().item())
    return recalls


def run_case(data: str, networks: tuple[str, str], sizes: list[int], seed: int, file: Path) -> str:
    """Measure every way of one seed at every size that leaves items unchosen, and write the results as JSON."""
    (old, new), others = read_split(data, networks, seed)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        gallery = write_vectors(old, Path(folder) / 'gallery')
        pool = Pool.read(gallery, np.empty(0, '<U1'))
        for size in [size for size in sizes if size < len(old)]:
            for by in METHODS:
                rows = choose_rows(pool, size, by=by, seed=seed)
                distance = measure_coverage(pool, rows, seed)['chosen']
                results.setdefault(str(size), {})[by] = dict(
                    recalls=score((old[rows], new[rows]), others), distance=distance
                )
        results[str(len(old))] = dict(all=dict(recalls=score((old, new), others), distance=0.0))
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results))
    return f'{data}, seed {seed}'


def table(results: list[dict[str, Any]]) -> str:
    """Return the Markdown table of one data set, from the results of its seeds."""
    num_others = len(next(iter(results[0].values()))['all' if len(results[0]) == 1 else 'random']['recalls'])
    names = [f'recall@10{f" ({part + 1})" if num_others > 1 else ""}' for part in range(num_others)]
    lines = [['pairs', 'chosen by', *(cell for name in names for cell in (name, '- random')), 'distance']]
    for size, ways in results[0].items():
        for by in ways:
            cells = []
            for part in range(num_others):
                recalls = [result[size][by]['recalls'][part] for result in results]
                cells.append(percent(recalls))
                against = [result[size].get('random', {}).get('recalls') for result in results]
                cells.append(
                    ''
                    if by in ('random', 'all')
                    else percent([recall - other[part] for recall, other in zip(recalls, against, strict=True)])
                )
            distance = spread([result[size][by]['distance'] for result in results], digits=3)
            lines.append([f'{int(size):,}', by, *cells, distance])
    return markdown_table(lines)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = experiment_parser(__doc__, 'plan_sample', jobs='seeds to run in parallel')
    parser.add_argument('data', nargs='+', help='files of tools/experiments/pretrained_vectors.py')
    parser.add_argument(
        '--networks', nargs=2, default=['lite0', 'lite2'], help='old and new network (default: lite0 lite2)'
    )
    parser.add_argument(
        '--sizes', type=int, nargs='+', default=[500, 2000, 8000], help='numbers of pairs (default: 500 2000 8000)'
    )
    return parser.parse_args()


def result_file(folder: Path, data: str, networks: tuple[str, str], sizes: list[int], seed: int) -> Path:
    """Return the path of the results of a case."""
    name = '+'.join(f'{Path(file).stem}{colon}{share}' for file, colon, share in parts_of(data))
    return folder / f'{name}_{"_".join(networks)}' / f'seed{seed}_{"-".join(map(str, sizes))}.json'


def main() -> None:
    """Run what is missing and print the tables."""
    args = parse_args()
    networks = tuple(args.networks)
    files = {
        data: [result_file(args.folder, data, networks, args.sizes, seed) for seed in args.seeds] for data in args.data
    }
    missing = [
        (data, networks, args.sizes, seed, file)
        for data in args.data
        for seed, file in zip(args.seeds, files[data], strict=True)
        if not file.exists()
    ]
    with user_errors():
        run_cases(run_case, missing, args.jobs)
    for data in args.data:
        results = [json.loads(file.read_text()) for file in files[data]]
        print(f'\n{data}, {" -> ".join(networks)}, seeds {args.seeds}\n\n{table(results)}')


if __name__ == '__main__':
    main()
