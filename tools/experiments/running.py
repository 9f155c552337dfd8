"""What the experiments share: their arguments, and how they run tools and trainings."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[2]


def experiment_parser(doc: str | None, name: str, *, jobs: str | None = None) -> argparse.ArgumentParser:
    """Return a parser with ``--seeds``, ``--folder`` and, if experiments can run in parallel, ``--jobs``.

    Args:
        doc: The docstring of the script.
        name: Name of the folder in ``work_dirs``.
        jobs: What runs in parallel, if anything does.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2], help='random seeds (default: 0 1 2)')
    folder = Path('work_dirs') / name
    parser.add_argument('--folder', type=Path, default=folder, help=f'folder for the runs (default: {folder})')
    if jobs is not None:
        parser.add_argument('--jobs', type=int, default=1, help=f'{jobs} (default: 1)')
    return parser


def run_tool(script: str, *words: object) -> None:
    """Run a tool of the project with one thread, so that several can share a machine."""
    print(script, *words, flush=True)
    command = [sys.executable, str(ROOT / script), *map(str, words)]
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    subprocess.run(command, check=True, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)


def run_cases(run_case: Callable[..., str], cases: Iterable[tuple], jobs: int) -> None:
    """Call a function with the arguments of every case, each in a process of its own; print what it returns."""
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context('spawn')) as pool:
        runs = [pool.submit(run_case, *arguments) for arguments in cases]
        for number, run in enumerate(runs, 1):
            print(f'{number}/{len(runs)} {run.result()}', flush=True)
