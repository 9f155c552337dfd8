"""Command-line arguments shared by several tools."""

from __future__ import annotations

import argparse
import os


def add_cfg_options(parser: argparse.ArgumentParser, text: str = 'variables or dotted entries of the config') -> None:
    """Add ``--cfg-options KEY=VALUE ...``.

    Args:
        parser: The parser of the tool.
        text: Help text.
    """
    from mmfct.apis.training.config import DictAction  # imports mmengine, so call `require_hosts` first

    parser.add_argument('--cfg-options', nargs='+', default={}, action=DictAction, metavar='KEY=VALUE', help=text)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        '--device',
        type=_device,
        help="torch device, such as 'cpu' or 'cuda:1' (default: the accelerator, if there is one)",
    )


def _device(text: str) -> str:
    """Check that torch knows a device and that this machine has it."""
    import torch

    try:
        torch.empty(0, device=text)
    except Exception as error:  # an AssertionError, a RuntimeError or others, depending on the build of torch
        reason = str(error).splitlines()[0]
        raise argparse.ArgumentTypeError(
            f'{text!r} cannot be used here: {reason}; leave --device out to use what there is'
        ) from error
    return text


def add_groups(parser: argparse.ArgumentParser) -> None:
    """Add ``--groups`` and ``--exclude``, for retrieval across groups."""
    parser.add_argument(
        '--groups',
        help=r"retrieval across groups, such as cameras: a column, or a regular expression on ids: '_c(\d+)'",
    )
    parser.add_argument(
        '--exclude',
        choices=['matches', 'all'],
        default='matches',
        help="with --groups, leave out the items of a query's label and group, or all of its group (default: matches)",
    )


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and ``--local_rank`` for launchers that pass it."""
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes (default: none, for a single process)',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def set_local_rank(local_rank: int) -> None:
    """Put the value of ``--local_rank`` into the environment, unless the launcher has set it there."""
    os.environ.setdefault('LOCAL_RANK', str(local_rank))
