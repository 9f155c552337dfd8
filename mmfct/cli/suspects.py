"""Rank the training labels by how suspicious they are, after a training with a weight per instance and task.

Example:
    mmfct suspects configs/itp/unet_street_scenes.py work_dirs/unet_street_scenes/final.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_cfg_options, add_device, command_parser, config_file, need_hosts
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'suspects', prog)
    parser.add_argument('config', type=config_file, help='config of the training')
    parser.add_argument('checkpoint', help='checkpoint of that training')
    parser.add_argument('--out', help='folder for tables and figures (default: suspects, beside the checkpoint)')
    parser.add_argument('--tasks', nargs='+', help='tasks to rank (default: all)')
    parser.add_argument('--top', type=int, default=20, help='suspects per figure, 0 for no figures (default: 20)')
    parser.add_argument(
        '--corrupted', help='CSV with columns file and task that lists wrong labels, to measure the detection'
    )
    add_device(parser)
    add_cfg_options(parser, 'options that the training was given')
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Find the labels."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine', 'mmcv')
    from mmfct.apis.find_corrupt_labels import find_corrupt_labels

    with user_errors():
        find_corrupt_labels(
            args.config,
            args.checkpoint,
            args.out,
            cfg_options=args.cfg_options,
            tasks=args.tasks,
            top=args.top,
            corrupted=args.corrupted,
            device=args.device,
        )
