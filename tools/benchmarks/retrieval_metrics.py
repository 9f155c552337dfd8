"""Time exact CMC and mAP against the matrix products alone, and against sorting query by query.

Prints JSON: seconds of `retrieval_metrics`, seconds of the distance matrix products of the same problem, their ratio,
the peak memory above the inputs, and the speed-up over a reference that sorts the gallery for every query.

Example:
    python tools/benchmarks/retrieval_metrics.py --rows 20000 --dims 128 --classes 1000
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from statistics import median

import numpy as np
import torch

from mmfct.functional import retrieval_metrics


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rows', type=int, default=20_000, help='queries, which are the gallery too')
    parser.add_argument('--dims', type=int, default=128)
    parser.add_argument('--classes', type=int, default=1_000)
    parser.add_argument('--repeats', type=int, default=5)
    parser.add_argument('--reference-rows', type=int, default=8_000, help='rows of the comparison with sorting')
    parser.add_argument('--peak-only', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_only:
        print(_peak_above_inputs(*_problem(args.rows, args.dims, args.classes)))
        return

    embeddings, labels = _problem(args.rows, args.dims, args.classes)
    ids = torch.arange(args.rows)
    retrieval_metrics(embeddings, embeddings, labels, labels, query_ids=ids, gallery_ids=ids)  # compiles
    metric_times, product_times = [], []
    for _ in range(args.repeats):  # in turn, so that a machine that slows down slows both
        product_times.append(_seconds(lambda: _products(embeddings)))
        metric_times.append(
            _seconds(lambda: retrieval_metrics(embeddings, embeddings, labels, labels, query_ids=ids, gallery_ids=ids))
        )
    result = dict(
        rows=args.rows,
        dims=args.dims,
        classes=args.classes,
        metric_seconds=median(metric_times),
        product_seconds=median(product_times),
        ratio=median(metric_times) / median(product_times),
        peak_megabytes_above_inputs=_peak_in_a_fresh_process(args),
        reference_rows=args.reference_rows,
        speed_up_over_sorting=_speed_up(args),
        threads=torch.get_num_threads(),
        cores=os.cpu_count(),
        torch=torch.__version__,
    )
    print(json.dumps(result, indent=1))


def _problem(rows: int, dims: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return embeddings that cluster by class, and labels."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (rows,), generator=generator)
    centres = torch.randn(classes, dims, generator=generator)
    return centres[labels] + torch.randn(rows, dims, generator=generator), labels


def _products(embeddings: torch.Tensor, chunk_size: int = 500) -> None:
    """Compute the matrix products of all distances, chunk by chunk into the same memory."""
    buffer = torch.empty(chunk_size, len(embeddings))
    for chunk in embeddings.split(chunk_size):
        torch.matmul(chunk, embeddings.T, out=buffer[: len(chunk)])


def _sort_per_query(embeddings: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return CMC-1 and mAP from a sorted ranking of the gallery for each query."""
    squares = (embeddings**2).sum(axis=1)
    first, precisions = [], []
    for i in range(len(embeddings)):
        order = np.argsort(squares - 2 * embeddings @ embeddings[i])
        match = labels[order[order != i]] == labels[i]
        if match.any():
            ranks = np.flatnonzero(match) + 1
            first.append(match[0])
            precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
    return float(np.mean(first)), float(np.mean(precisions))


def _speed_up(args: argparse.Namespace) -> float:
    embeddings, labels = _problem(args.reference_rows, args.dims, args.classes)
    ids = torch.arange(len(labels))
    expected: list[tuple[float, float]] = []
    reference = _seconds(lambda: expected.append(_sort_per_query(embeddings.numpy(), labels.numpy())))
    results: list[dict] = []
    ours = median(
        _seconds(
            lambda: results.append(
                retrieval_metrics(embeddings, embeddings, labels, labels, query_ids=ids, gallery_ids=ids)
            )
        )
        for _ in range(args.repeats)
    )
    assert np.allclose(expected[0], (results[0]['cmc1'], results[0]['map']), atol=1e-4)
    return reference / ours


def _peak_in_a_fresh_process(args: argparse.Namespace) -> float:
    command = [sys.executable, __file__, '--peak-only', '--rows', str(args.rows)]
    command += ['--dims', str(args.dims), '--classes', str(args.classes)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_above_inputs(embeddings: torch.Tensor, labels: torch.Tensor) -> float:
    """Return megabytes; a small call before it keeps the code that is loaded once out of the figure."""
    ids = torch.arange(len(labels))
    few = slice(5000)
    small = embeddings[few], labels[few], ids[few]
    retrieval_metrics(small[0], small[0], small[1], small[1], query_ids=small[2], gallery_ids=small[2], chunk_size=64)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    retrieval_metrics(embeddings, embeddings, labels, labels, query_ids=ids, gallery_ids=ids)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def _seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == '__main__':
    main()
