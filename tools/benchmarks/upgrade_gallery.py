"""Time the upgrade of a gallery, file to file, against the bare matrix products of h and against a backfill.

Prints JSON; times are in seconds, ratios are of one run. The transform is the paper's, 128 + 128 -> 128 with two
layers of 2048, with random weights: its speed does not depend on them.

Example:
    python tools/benchmarks/upgrade_gallery.py
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, default=65536, help='embeddings of the gallery')
    parser.add_argument('--images', type=int, default=16, help='images through ResNet-50 at once')
    parser.add_argument('--repeats', type=int, default=3, help='the fastest of so many counts')
    parser.add_argument('--threads', type=int, help='threads of torch (default: its own choice)')
    return parser.parse_args()


def make_inputs(folder: Path, rows: int) -> None:
    """Write a gallery of 100 clusters and the transform."""
    from mmfct.models.heads import TransformationHead
    from mmfct.retrieval import GalleryWriter
    from mmfct.retrieval.provenance import ModelIdentity, Provenance
    from mmfct.retrieval.transform_file import TransformDescription, write_transform

    old, side, new = (ModelIdentity(name, digit * 64) for name, digit in (('old', '1'), ('side', '2'), ('new', '3')))
    rng = np.random.default_rng(0)
    centers, label = rng.standard_normal((2, 100, 128)), np.arange(rows) % 100
    columns = {
        name: np.maximum(centers[number][label] + rng.standard_normal((rows, 128)), 0).astype(np.float32)
        for number, name in enumerate(['embedding', 'side_info'])
    } | dict(label=label)
    writer = GalleryWriter(
        folder / 'old',
        columns=dict(embedding=('float32', 128), side_info=('float32', 128), label=('int64', None)),
        num_rows=rows,
        metadata=Provenance(old, side).to_metadata(),
    )
    for index, start, stop in writer.pending():
        writer.write_shard(index, {name: column[start:stop] for name, column in columns.items()})
    writer.finish()
    head = TransformationHead(128, 128, 128).eval()
    widths = dict(old_dims=128, side_dims=128, new_dims=128)
    write_transform(folder / 'h', head.state_dict(), TransformDescription(old=old, new=new, side=side, **widths))


def best(function: Callable[[], Any], repeats: int) -> float:
    """Return the shortest of several times, after a first call."""
    function()
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def matrix_products(path: Path, rows: int, batch_size: int) -> Callable[[], None]:
    """Return a function that multiplies as many rows as the upgrade with all matrices of h, and does nothing else."""
    import torch

    from mmfct.retrieval.transform import fold_layers
    from mmfct.retrieval.transform_file import read_transform

    weights = read_transform(path)[1]
    parts = [[weight.float() for weight, _ in fold_layers(weights, part)] for part in ('old_branch', 'side_branch')]
    parts.append([weight.float() for weight, _ in fold_layers(weights, 'mixer')])
    inputs = [torch.rand(batch_size, layers[0].shape[1]) for layers in parts]

    def run() -> None:
        with torch.no_grad():
            for _ in range(rows // batch_size):
                for values, layers in zip(inputs, parts, strict=True):
                    for weight in layers:
                        values = values @ weight.T

    return run


def main() -> None:
    """Measure and print."""
    args = parse_args()
    import torch
    from torchvision.models import resnet50

    from mmfct.apis.galleries import upgrade_gallery
    from mmfct.functional import retrieval_metrics

    if args.threads:
        torch.set_num_threads(args.threads)
    batch_size = 16384
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_inputs(folder, args.rows)
        numbers = iter(range(10**6))

        def upgrade(dtype: str) -> Any:
            out = folder / f'out{next(numbers)}'
            return upgrade_gallery(str(folder / 'old'), [str(folder / 'h')], str(out), dtype=dtype, device='cpu')

        times = dict(
            float32=best(lambda: upgrade('float32'), args.repeats),
            bfloat16=best(lambda: upgrade('bfloat16'), args.repeats),
            products=best(matrix_products(folder / 'h', args.rows, batch_size), args.repeats),
        )
        embeddings = {dtype: torch.from_numpy(upgrade(dtype).column('embedding')) for dtype in ('float32', 'bfloat16')}
    label, ids = torch.arange(args.rows) % 100, torch.arange(args.rows)
    few = slice(0, 5000)
    scores = {
        dtype: retrieval_metrics(
            embeddings['float32'][few],
            gallery[few],
            label[few],
            label[few],
            query_ids=ids[few],
            gallery_ids=ids[few],
        )['map']
        for dtype, gallery in embeddings.items()
    }
    network = resnet50().eval()
    images = torch.rand(args.images, 3, 224, 224)
    with torch.no_grad():
        times['resnet50'] = best(lambda: network(images), args.repeats)
    result = dict(
        rows=args.rows,
        threads=torch.get_num_threads(),
        times=times,
        speed_of_products=times['products'] / times['float32'],
        bfloat16_speedup=times['float32'] / times['bfloat16'],
        bfloat16_map_difference=scores['bfloat16'] - scores['float32'],
        backfill_ratio=(times['resnet50'] / args.images) / (times['float32'] / args.rows),
    )
    print(json.dumps(result, indent=1))


if __name__ == '__main__':
    main()
