"""Test a checkpoint on the test set of its config and write the report.

For a transformation, the report has the table and figures of the upgrade.

Example:
    mmfct test configs/fct/resnet10_digits.py work_dirs/resnet10_digits/final.pth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import (
    add_cfg_options,
    add_launcher,
    add_verbose,
    check_config,
    command_parser,
    config_file,
    need_hosts,
    set_local_rank,
)
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'test', prog)
    parser.add_argument('config', type=config_file, help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        '--work-dir',
        help='folder for logs and the report (default: `work_dir` of the config, or work_dirs/<config name>)',
    )
    parser.add_argument('--out', help='file for predictions (.pkl) or metrics (.json)')
    parser.add_argument(
        '--out-item', choices=['pred', 'metrics'], default='pred', help='what --out holds (default: pred)'
    )
    parser.add_argument('--show-dir', help='folder for images of the predictions')
    parser.add_argument('--tta', action='store_true', help='use test-time augmentation')
    parser.add_argument('--amp', action='store_true', help='use automatic mixed precision')
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin the host memory of batches')
    add_verbose(parser)
    add_launcher(parser)
    add_cfg_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Run the test."""
    parser = make_parser(prog)
    args = parser.parse_args(argv)
    check_config(parser, args.config)
    need_hosts('mmengine', 'mmcv')
    set_local_rank(args.local_rank)
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.test import test
    from mmfct.utils.launch import leave_ranks

    values = {key: value for key, value in vars(args).items() if key in TrainingOptions.__dataclass_fields__}
    outputs = dict(out=args.out, out_item=args.out_item, show_dir=args.show_dir, tta=args.tta)
    with user_errors(of_others=False):
        test(args.config, args.checkpoint, TrainingOptions(**values), **outputs)
    leave_ranks()
