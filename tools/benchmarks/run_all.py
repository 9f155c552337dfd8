"""Run all benchmarks, and write their ratios into one file.

The sizes are those of a GPU, where all are meant to take less than four minutes; on the CPU, or with --quick, they are
so small that the numbers only show that everything runs. Seconds depend on the machine, so ratios are what can be
compared: ``ratios`` has them by benchmark, ``results`` everything that each one printed.

Example:
    python tools/benchmarks/run_all.py --out work_dirs/benchmarks.json
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from devices import add_device, describe

_CORES = os.cpu_count() or 1
# Name: script, options on a GPU, and quick ones.
RUNS = {
    'upgrade': (
        'upgrade_gallery',
        '--rows 262144 --batch-size 8192 --images 256 --repeats 3',
        '--rows 4096 --images 2 --repeats 1',
    ),
    'metrics_1e5': (
        'retrieval_metrics',
        '--rows 100000 --queries 20000 --repeats 1 --reference-rows 2000',
        '--rows 2000 --repeats 1 --reference-rows 500',
    ),
    'metrics_1e6': (
        'retrieval_metrics',
        '--rows 1000000 --queries 2000 --classes 10000 --repeats 1 --reference-rows 0',
        '--rows 20000 --queries 200 --repeats 1 --reference-rows 0',
    ),
    'extraction': (
        'extraction',
        f'--images 4096 --workers {max(_CORES // 2, 1)} {_CORES}',
        '--images 32 --batch-size 16 --image-size 64 --depth 18 --workers 0',
    ),
    'training_of_h': (
        'cached_training',
        '--images 64 --batch-size 1024 --repeats 5 --compile',
        '--images 2 --batch-size 256 --image-size 64 --depth 18 --repeats 1',
    ),
    'task_weights': (
        'task_weights',
        '--base-channels 64 --batch-size 8 --repeats 20 --rounds 5',
        '--base-channels 4 --image-size 32 64 --batch-size 2 --repeats 2 --many 100000 --rounds 1',
    ),
}
_RATIO = re.compile(r'ratio|speed_?up|share_of|map_change|workers_needed')


def main() -> None:
    """Run and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, required=True, help='the JSON file')
    parser.add_argument('--quick', action='store_true', help='small sizes, as always on the CPU')
    parser.add_argument('--only', nargs='+', choices=RUNS, default=list(RUNS), help='some of them (default: all)')
    add_device(parser)
    args = parser.parse_args()
    quick = args.quick or torch.device(args.device).type == 'cpu'
    started, results = time.perf_counter(), {}
    for name in args.only:
        script, full, small = RUNS[name]
        results[name] = _run(script, [*(small if quick else full).split(), '--device', args.device])
        print(f'{time.perf_counter() - started:.0f} s: {name} is done', file=sys.stderr)
    summary = dict(
        **describe(args.device),
        cores=_CORES,
        quick=quick,
        seconds=time.perf_counter() - started,
        ratios={name: ratios(result) for name, result in results.items()},
        results=results,
    )
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps(summary, indent=1) + '\n')
    print(json.dumps(summary['ratios'], indent=1))


def _run(script: str, options: list[str]) -> dict[str, Any]:
    """Run a benchmark in a process of its own; return what it prints."""
    command = [sys.executable, str(Path(__file__).with_name(f'{script}.py')), *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f'{" ".join(command)} failed, see above')
    return json.loads(done.stdout)


def ratios(result: dict[str, Any], prefix: str = '') -> dict[str, Any]:
    """Return the numbers of a result that do not depend on the speed of the machine alone, by dotted name."""
    found: dict[str, Any] = {}
    for key, value in result.items():
        name = f'{prefix}{key}'
        if isinstance(value, dict):
            found |= ratios(value, f'{name}.')
        elif _RATIO.search(name) and value is not None:
            found[name] = value
    return found


if __name__ == '__main__':
    main()
