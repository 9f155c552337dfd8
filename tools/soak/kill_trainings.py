"""Kill trainings of a life cycle at random moments, continue them, and compare what comes out with one left alone.

Example:
    python tools/soak/kill_trainings.py configs/fct/resnet10_digits.py --kills 30 --folder work_dirs/soak \
        --cfg-options epochs=3 side_epochs=3 transform_epochs=3 warmup_epochs=1 num_views=1
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

TRAIN = Path(__file__).parents[1] / 'train.py'
_OUTPUT = 'compatibility.json'


class Run(NamedTuple):
    """How one process ended: after so many seconds, with this status (negative: the signal that killed it)."""

    seconds: float
    status: int


def run(command: Sequence[str], log: Path, *, kill_after: float | None = None, number: int = signal.SIGKILL) -> Run:
    """Run a command with all output in ``log``, and send a signal after so many seconds unless it is over by then."""
    started = time.monotonic()
    with open(log, 'a') as output, subprocess.Popen(command, stdout=output, stderr=output) as process:
        try:
            process.wait(kill_after)
        except subprocess.TimeoutExpired:
            process.send_signal(number)
        process.wait()
    return Run(time.monotonic() - started, process.returncode)


def differences(folder: Path, reference: Path) -> list[str]:
    """Compare two folders of trainings: weights to the bit, and the metrics of the report.

    Returns:
        The files, relative to the folders, that are missing in one of them or differ.
    """
    names = {
        path.relative_to(root).as_posix()
        for root in (folder, reference)
        for path in [*root.glob('*/final.pth'), *root.glob(f'*/{_OUTPUT}')]
    }
    return sorted(name for name in names if not _same(folder / name, reference / name))


def _same(ours: Path, theirs: Path) -> bool:
    if not (ours.is_file() and theirs.is_file()):
        return False
    if ours.name == _OUTPUT:
        return json.loads(ours.read_text()) == json.loads(theirs.read_text())
    weights = [torch.load(path, weights_only=True)['state_dict'] for path in (ours, theirs)]
    return weights[0].keys() == weights[1].keys() and all(
        torch.equal(value, weights[1][name]) for name, value in weights[0].items()
    )


def life_cycle(
    command: Sequence[str], folder: Path, reference: Path, moments: Sequence[float], numbers: Sequence[int]
) -> tuple[list[Run], list[str]]:
    """Train in a new folder, with a kill at each of some moments and one process more that is left alone.

    Args:
        command: A training, without ``--resume``, whose folders are in ``folder``.
        folder: Removed first.
        reference: What came out without a kill.
        moments: Seconds from the start of a process to its kill.
        numbers: The signals.

    Returns:
        The processes up to one that came to its end, and the files that differ, see `differences`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    log = folder / 'log.txt'
    again = [*command, '--resume']
    runs: list[Run] = []
    for moment, number in zip([*moments, None], [*numbers, 0], strict=True):
        runs.append(run(again, log, kill_after=moment, number=number))
        if runs[-1].status == 0:
            break
    return runs, differences(folder, reference) if runs[-1].status == 0 else [f'{log}: status {runs[-1].status}']


def main(argv: Sequence[str] | None = None) -> int:
    """Kill, compare and print a line for each life cycle; the status is 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of a life cycle, whose folders are in its variable `work_root`')
    parser.add_argument('--kills', type=int, default=30, help='number of kills (default: 30)')
    parser.add_argument('--per-cycle', type=int, default=3, help='kills of one life cycle (default: 3)')
    parser.add_argument('--signal', choices=['KILL', 'TERM', 'both'], default='KILL', help='(default: KILL)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the moments (default: 0)')
    parser.add_argument('--folder', type=Path, default=Path('work_dirs/soak'), help='(default: work_dirs/soak)')
    parser.add_argument('--cfg-options', nargs='+', default=[], metavar='KEY=VALUE', help='options of the trainings')
    args = parser.parse_args(argv)
    os.environ.setdefault('OMP_NUM_THREADS', '1')  # sums in another order are other sums

    def command(folder: Path) -> list[str]:
        words = [sys.executable, str(TRAIN), args.config, '--work-dir', str(folder / Path(args.config).stem)]
        return [*words, '--cfg-options', *args.cfg_options, f'work_root={folder}']

    reference = args.folder / 'reference'
    shutil.rmtree(reference, ignore_errors=True)
    reference.mkdir(parents=True)
    alone = run(command(reference), reference / 'log.txt')
    if alone.status != 0:
        print(f'without a kill, the training fails: see {reference / "log.txt"}', file=sys.stderr)
        return 1
    print(f'without a kill: {alone.seconds:.1f} s', flush=True)
    rng, killed, failed, length = random.Random(args.seed), 0, 0, alone.seconds
    signals = dict(KILL=[signal.SIGKILL], TERM=[signal.SIGTERM], both=[signal.SIGKILL, signal.SIGTERM])[args.signal]
    folder = args.folder / 'killed'
    while killed < args.kills:
        moments = [rng.uniform(0, length) for _ in range(min(args.per_cycle, args.kills - killed))]
        numbers = rng.choices(signals, k=len(moments))
        runs, differing = life_cycle(command(folder), folder, reference, moments, numbers)
        if len(runs) == 1:  # the machine is less busy than it was: it came to its end before it was killed
            length = runs[0].seconds
            continue
        hit = [run for run in runs if run.status != 0]
        killed, failed = killed + len(hit), failed + bool(differing)
        ends = ', '.join(f'{run.seconds:.1f} s ({run.status})' for run in hit)
        print(f'{killed} kills; after {ends}: {", ".join(differing) or "the same weights and metrics"}', flush=True)
    print(f'{failed} life cycles differ')
    return int(failed > 0)


if __name__ == '__main__':
    sys.exit(main())
