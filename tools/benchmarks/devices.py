"""The device of a benchmark, and how long something takes there."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    default = 'cuda' if torch.cuda.is_available() else 'cpu'
    parser.add_argument('--device', default=default, help=f'where it runs (default here: {default})')


def synchronize(device: str | torch.device) -> None:
    """Wait until a device has done what it was told; the CPU always has."""
    if torch.device(device).type == 'cuda':
        torch.cuda.synchronize(device)


def seconds(work: Callable[[], object], device: str | torch.device) -> float:
    """Return how long a device takes for some work, from idle to idle."""
    synchronize(device)
    start = time.perf_counter()
    work()
    synchronize(device)
    return time.perf_counter() - start


def describe(device: str | torch.device) -> dict[str, object]:
    """Say what the numbers of a benchmark were measured on."""
    on_gpu = torch.device(device).type == 'cuda'
    name = torch.cuda.get_device_name(device) if on_gpu else 'cpu'
    return dict(device=name, threads=torch.get_num_threads(), torch=torch.__version__)
