"""Time exact CMC and mAP against the bare matrix products, and against sorting query by query.

Prints JSON: seconds of `retrieval_metrics`; seconds of the matrix products for the same distances in torch and in
numpy (on the CPU), and the ratio to the faster one; peak memory above the inputs in MB, compiled code included; and
the speed-up over a reference that sorts the gallery for every query. Scores of queries do not depend on one another,
so --queries times some of them, and ``all_queries_seconds`` is in proportion.

Example:
    python tools/benchmarks/retrieval_metrics.py --rows 20000 --dims 128 --classes 1000
    python tools/benchmarks/retrieval_metrics.py --device cuda --rows 1000000 --queries 2000 --reference-rows 0
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from devices import add_device, describe, seconds
from torch import Tensor

from mmfct.functional import retrieval_metrics

CHUNK_SIZE = 500


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--rows', type=int, default=20_000, help='number of embeddings, both queries and gallery (default: 20000)'
    )
    parser.add_argument('--queries', type=int, help='number of the queries to time (default: all)')
    parser.add_argument('--dims', type=int, default=128, help='width of the embeddings (default: 128)')
    parser.add_argument('--classes', type=int, default=1_000, help='number of labels (default: 1000)')
    parser.add_argument('--repeats', type=int, default=5, help='repetitions; medians are reported (default: 5)')
    parser.add_argument(
        '--reference-rows',
        type=int,
        default=8_000,
        help='number of embeddings for the speed-up; 0 to leave it out (default: 8000)',
    )
    add_device(parser)
    parser.add_argument('--peak-only', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_only:
        print(_peak_above_inputs(args))
        return

    embeddings, labels = _problem(args, args.rows)
    queries = len(embeddings[: args.queries])
    functions = {
        'metric': lambda: _metrics(embeddings, labels, queries),
        'torch_product': lambda: _torch_products(embeddings, queries),
    }
    if not embeddings.is_cuda:
        functions['numpy_product'] = lambda: _numpy_products(embeddings.numpy(), queries)
    _metrics(embeddings, labels, queries)  # compiles
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(args.repeats):  # in turn, so that a machine that slows down slows all
        for name, function in functions.items():
            times[name].append(seconds(function, args.device))
    medians = {name: median(values) for name, values in times.items()}
    result = {
        'rows': args.rows,
        'queries': queries,
        'dims': args.dims,
        'classes': args.classes,
        **{f'{name}_seconds': value for name, value in medians.items()},
        'all_queries_seconds': medians['metric'] * args.rows / queries,
        'ratio': medians['metric'] / min(value for name, value in medians.items() if name != 'metric'),
        'peak_megabytes_above_inputs': _peak_above_inputs(args) if embeddings.is_cuda else _peak_in_a_process(args),
        'reference_rows': args.reference_rows,
        'speed_up_over_sorting': _speed_up(args) if args.reference_rows else None,
        'cores': os.cpu_count(),
        **describe(args.device),
    }
    print(json.dumps(result, indent=1))


def _problem(args: argparse.Namespace, rows: int) -> tuple[Tensor, Tensor]:
    """Return embeddings (rows, dims) on the device that cluster by class, and labels (rows,)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, args.classes, (rows,), generator=generator)
    centres = torch.randn(args.classes, args.dims, generator=generator)
    embeddings = centres[labels] + 2 * torch.randn(rows, args.dims, generator=generator)
    return embeddings.to(args.device), labels.to(args.device)


def _metrics(embeddings: Tensor, labels: Tensor, queries: int) -> dict[str, float | int]:
    ids = torch.arange(len(labels))
    return retrieval_metrics(
        embeddings[:queries],
        embeddings,
        labels[:queries],
        labels,
        query_ids=ids[:queries],
        gallery_ids=ids,
    )


def _torch_products(embeddings: Tensor, queries: int) -> None:
    """Multiply chunk by chunk into one buffer."""
    buffer = embeddings.new_empty(CHUNK_SIZE, len(embeddings))
    for chunk in embeddings[:queries].split(CHUNK_SIZE):
        torch.matmul(chunk, embeddings.T, out=buffer[: len(chunk)])


def _numpy_products(embeddings: np.ndarray, queries: int) -> None:
    """Multiply chunk by chunk into one buffer."""
    buffer = np.empty((CHUNK_SIZE, len(embeddings)), embeddings.dtype)
    for start in range(0, queries, CHUNK_SIZE):
        chunk = embeddings[start : min(start + CHUNK_SIZE, queries)]
        np.matmul(chunk, embeddings.T, out=buffer[: len(chunk)])


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
    embeddings, labels = _problem(args, args.reference_rows)
    size = len(labels)
    scores = _metrics(embeddings, labels, size)
    ours = median(seconds(lambda: _metrics(embeddings, labels, size), args.device) for _ in range(args.repeats))
    start = time.perf_counter()
    expected = _sort_per_query(embeddings.cpu().numpy(), labels.cpu().numpy())
    reference = time.perf_counter() - start
    assert np.allclose(expected, (scores['cmc1'], scores['map']), atol=1e-4)
    return reference / ours


def _peak_in_a_process(args: argparse.Namespace) -> float:
    """Return `_peak_above_inputs` of a process that has measured nothing before."""
    command = [sys.executable, __file__, '--peak-only', '--device', args.device]
    for name in ('rows', 'queries', 'dims', 'classes'):
        if getattr(args, name) is not None:
            command += [f'--{name}', str(getattr(args, name))]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_above_inputs(args: argparse.Namespace) -> float:
    """Return how many megabytes the metrics need above their inputs."""
    embeddings, labels = _problem(args, args.rows)
    queries = len(embeddings[: args.queries])
    torch.mm(embeddings[:100], embeddings[:100].T)  # torch's thread pool is not counted
    if embeddings.is_cuda:
        torch.cuda.reset_peak_memory_stats(embeddings.device)
        inputs = torch.cuda.memory_allocated(embeddings.device)
        _metrics(embeddings, labels, queries)
        return (torch.cuda.max_memory_allocated(embeddings.device) - inputs) / 1024**2
    before = _peak_megabytes()
    _metrics(embeddings, labels, queries)
    return _peak_megabytes() - before


def _peak_megabytes() -> float:
    """Return the peak memory of this process in MB; `ru_maxrss` would include that of its parent."""
    status = Path('/proc/self/status').read_text()
    fields = dict(line.split(':', 1) for line in status.splitlines())
    return int(fields['VmHWM'].split()[0]) / 1024


if __name__ == '__main__':
    main()
