"""Time exact CMC and mAP against the bare matrix products, and against sorting query by query.

Prints JSON: seconds of `retrieval_metrics`; seconds of the matrix products for the same distances in torch and in
numpy, and the ratio to the faster one; peak memory above the inputs in MB, compiled code included; and the speed-up
over a reference that sorts the gallery for every query.

Example:
    python tools/benchmarks/retrieval_metrics.py --rows 20000 --dims 128 --classes 1000
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
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
    parser.add_argument('--dims', type=int, default=128, help='width of the embeddings (default: 128)')
    parser.add_argument('--classes', type=int, default=1_000, help='number of labels (default: 1000)')
    parser.add_argument('--repeats', type=int, default=5, help='repetitions; medians are reported (default: 5)')
    parser.add_argument(
        '--reference-rows', type=int, default=8_000, help='number of embeddings for the speed-up (default: 8000)'
    )
    parser.add_argument('--peak-only', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.peak_only:
        print(_peak_above_inputs(*_problem(args.rows, args.dims, args.classes)))
        return

    embeddings, labels = _problem(args.rows, args.dims, args.classes)
    functions = {
        'metric': lambda: _metrics(embeddings, labels),
        'torch_product': lambda: _torch_products(embeddings),
        'numpy_product': lambda: _numpy_products(embeddings.numpy()),
    }
    _metrics(embeddings, labels)  # compiles
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(args.repeats):  # in turn, so that a machine that slows down slows all
        for name, function in functions.items():
            times[name].append(_seconds(function))
    seconds = {name: median(values) for name, values in times.items()}
    result = {
        'rows': args.rows,
        'dims': args.dims,
        'classes': args.classes,
        **{f'{name}_seconds': value for name, value in seconds.items()},
        'ratio': seconds['metric'] / min(seconds['torch_product'], seconds['numpy_product']),
        'peak_megabytes_above_inputs': _peak_in_a_fresh_process(args),
        'reference_rows': args.reference_rows,
        'speed_up_over_sorting': _speed_up(args),
        'threads': torch.get_num_threads(),
        'cores': os.cpu_count(),
        'torch': torch.__version__,
    }
    print(json.dumps(result, indent=1))


def _problem(rows: int, dims: int, classes: int) -> tuple[Tensor, Tensor]:
    """Return embeddings (rows, dims) that cluster by class, and labels (rows,)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, classes, (rows,), generator=generator)
    centres = torch.randn(classes, dims, generator=generator)
    return centres[labels] + 2 * torch.randn(rows, dims, generator=generator), labels


def _metrics(embeddings: Tensor, labels: Tensor) -> dict[str, float | int]:
    ids = torch.arange(len(labels))
    return retrieval_metrics(
        embeddings,
        embeddings,
        labels,
        labels,
        query_ids=ids,
        gallery_ids=ids,
    )


def _torch_products(embeddings: Tensor) -> None:
    """Multiply chunk by chunk into one buffer."""
    buffer = torch.empty(CHUNK_SIZE, len(embeddings))
    for chunk in embeddings.split(CHUNK_SIZE):
        torch.matmul(chunk, embeddings.T, out=buffer[: len(chunk)])


def _numpy_products(embeddings: np.ndarray) -> None:
    """Multiply chunk by chunk into one buffer."""
    buffer = np.empty((CHUNK_SIZE, len(embeddings)), embeddings.dtype)
    for start in range(0, len(embeddings), CHUNK_SIZE):
        chunk = embeddings[start : start + CHUNK_SIZE]
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
    embeddings, labels = _problem(args.reference_rows, args.dims, args.classes)
    scores = _metrics(embeddings, labels)
    ours = median(_seconds(lambda: _metrics(embeddings, labels)) for _ in range(args.repeats))
    start = time.perf_counter()
    expected = _sort_per_query(embeddings.numpy(), labels.numpy())
    reference = time.perf_counter() - start
    assert np.allclose(expected, (scores['cmc1'], scores['map']), atol=1e-4)
    return reference / ours


def _peak_in_a_fresh_process(args: argparse.Namespace) -> float:
    command = [sys.executable, __file__, '--peak-only', '--rows', str(args.rows)]
    command += ['--dims', str(args.dims), '--classes', str(args.classes)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def _peak_above_inputs(embeddings: Tensor, labels: Tensor) -> float:
    """Return how many megabytes the metrics need above their inputs."""
    torch.mm(embeddings[:100], embeddings[:100].T)  # torch's thread pool is not counted
    before = _peak_megabytes()
    _metrics(embeddings, labels)
    return _peak_megabytes() - before


def _peak_megabytes() -> float:
    """Return the peak memory of this process in MB; `ru_maxrss` would include that of its parent."""
    status = Path('/proc/self/status').read_text()
    fields = dict(line.split(':', 1) for line in status.splitlines())
    return int(fields['VmHWM'].split()[0]) / 1024


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == '__main__':
    main()
