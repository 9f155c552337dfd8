"""Time the upgrade of a gallery against its bare matrix products, against half precision, and against a backfill.

All are measured in one run on one device, with the transformation of the paper (128-d, 5.7 M parameters) and random
vectors, whose values do not affect the time. An upgrade is the whole job, from files to files. Prints JSON:
milliseconds per item, and

- ``share_of_matrix_products``: speed of the float32 upgrade relative to the bare products (budget: at least 0.7),
- ``bfloat16_speedup``: time of float32 over that of bfloat16 (budget: at least 2 on CPUs with bfloat16 instructions),
  and ``bfloat16_map_change``, the difference in mAP,
- ``float16_speedup``, ``float16_map_change``: the same of float16, on a GPU only: CPUs are slow at it,
- ``backfill_ratio``: time of a ResNet-50 at 224 pixels, without loading images, over that of the upgrade (budget: at
  least 300).

Example:
    python tools/benchmarks/upgrade_gallery.py --rows 65536 --images 64
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from devices import add_device, describe, seconds
from mmengine.registry import init_default_scope
from random_encoder import random_encoder

from mmfct.apis.upgrade_gallery import upgrade_gallery
from mmfct.functional import retrieval_metrics
from mmfct.models.heads import TransformationHead
from mmfct.registry import MODELS
from mmfct.retrieval import Gallery, GalleryWriter
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.transform.file import TransformDescription, write_transform

_LAYERS = dict(old_branch=[128, 256, 256], side_branch=[128, 256, 256], mixer=[512, 2048, 2048, 128])
_OLD, _SIDE, _NEW = (ModelIdentity(name, digit * 64) for name, digit in (('old', '0'), ('side', '1'), ('new', '2')))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, default=65536, help='vectors to upgrade (default: 65536)')
    parser.add_argument('--batch-size', type=int, default=1024, help='rows per matrix product (default: 1024)')
    parser.add_argument('--images', type=int, default=64, help='images per batch of the backfill (default: 64)')
    parser.add_argument('--repeats', type=int, default=3, help='repetitions; medians are reported (default: 3)')
    add_device(parser)
    args = parser.parse_args()
    half = ['bfloat16', 'float16'] if args.device.startswith('cuda') else ['bfloat16']
    logging.disable(logging.WARNING)  # the models of the benchmark have no pipeline to note
    init_default_scope('mmpretrain')
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        _write_transform(root / 'h.safetensors')
        _write_gallery(root / 'v1', args.rows)
        times: dict[str, list[float]] = {}
        for repeat in range(args.repeats):  # in turn, so that a machine that slows down slows all
            for dtype in ('float32', *half):
                out = root / f'{dtype}_{repeat}'
                options = dict(dtype=dtype, batch_size=args.batch_size, device=args.device)
                started = time.perf_counter()
                with contextlib.redirect_stdout(sys.stderr):  # its progress
                    upgrade_gallery(str(root / 'v1'), [str(root / 'h.safetensors')], str(out), **options)
                times.setdefault(dtype, []).append((time.perf_counter() - started) / args.rows)
            times.setdefault('products', []).append(_products(args.batch_size, args.rows, args.device))
        maps = {dtype: _map(root / 'v1', root / f'{dtype}_0') for dtype in ('float32', *half)}
        backfill = _backfill(root, args.images, args.device)
    per_item = {name: 1000 * median(values) for name, values in times.items()}
    result = dict(
        milliseconds_per_item=per_item | dict(backfill=1000 * backfill),
        share_of_matrix_products=per_item['products'] / per_item['float32'],
        **{f'{dtype}_speedup': per_item['float32'] / per_item[dtype] for dtype in half},
        float32_map=maps['float32'],
        **{f'{dtype}_map_change': maps[dtype] - maps['float32'] for dtype in half},
        backfill_ratio=1000 * backfill / per_item['float32'],
        rows=args.rows,
        **describe(args.device),
    )
    print(json.dumps(result, indent=1))


def _write_transform(path: Path) -> None:
    """Write a transform file with random weights."""
    head = TransformationHead(128, 128, 128)
    description = TransformDescription(_OLD, _NEW, _SIDE, old_dims=128, side_dims=128, new_dims=128)
    write_transform(path, head.state_dict(), description)


def _write_gallery(path: Path, rows: int) -> None:
    """Write a gallery of 100 classes whose embeddings lie around their class centres."""
    rng = np.random.default_rng(0)
    label = rng.integers(100, size=rows)
    points = rng.random((100, 256))[label] + 0.15 * rng.standard_normal((rows, 256))
    writer = GalleryWriter(
        path,
        columns=dict(embedding=('float32', 128), side_info=('float32', 128), label=('int64', None)),
        num_rows=rows,
        shard_rows=4096,
        metadata=Provenance(_OLD, _SIDE).to_metadata(),
    )
    for index, start, stop in writer.shards:
        part = points[start:stop].astype(np.float32)
        writer.write_shard(index, dict(embedding=part[:, :128], side_info=part[:, 128:], label=label[start:stop]))
    writer.finish()


def _products(batch_size: int, rows: int, device: str) -> float:
    """Return the seconds per row of the matrix products of the transformation alone."""
    steps = [(a, b) for widths in _LAYERS.values() for a, b in zip(widths[:-1], widths[1:], strict=True)]
    with torch.device(device):
        inputs = [(torch.rand(batch_size, a), torch.rand(b, a).t(), torch.empty(batch_size, b)) for a, b in steps]
    batches = max(1, rows // batch_size)

    def work() -> None:
        for _ in range(batches):
            for left, right, out in inputs:
                torch.mm(left, right, out=out)

    return seconds(work, device) / (batches * batch_size)


def _map(labelled: Path, upgraded: Path) -> float:
    """Return the mAP of the first 2,000 rows as queries against all of an upgraded gallery."""
    gallery = torch.from_numpy(np.array(Gallery(upgraded).column('embedding')))
    labels = torch.from_numpy(np.array(Gallery(labelled).column('label')))
    ids, queries = torch.arange(len(labels)), slice(0, 2000)
    return retrieval_metrics(
        gallery[queries], gallery, labels[queries], labels, query_ids=ids[queries], gallery_ids=ids
    )['map']


@torch.no_grad()
def _backfill(folder: Path, images: int, device: str) -> float:
    """Return the seconds per image of a ResNet-50 with 128-wide embeddings: the shorter of two runs."""
    network = MODELS.build(random_encoder(folder)).to(device)
    batch = torch.rand(images, 3, 224, 224, device=device)
    return min(seconds(lambda: network(batch), device) for _ in range(2)) / images


if __name__ == '__main__':
    main()
