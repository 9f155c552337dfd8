"""Export a trained transformation as a transform file: self-contained, safetensors and JSON, no pickle.

Example:
    mmfct export configs/fct/resnet10_digits.py work_dirs/resnet10_digits/final.pth h.safetensors
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_cfg_options, command_parser, config_file, need_hosts
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'export', prog)
    parser.add_argument('config', type=config_file, help='config of the transformation')
    parser.add_argument('checkpoint', help='checkpoint of the transformation')
    parser.add_argument('out', help='transform file to write')
    add_cfg_options(parser, 'options that the training was given')
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Export the transformation."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine', 'mmcv')
    from mmfct.apis.export_transform import export_transform

    with user_errors():
        export_transform(args.config, args.checkpoint, args.out, cfg_options=args.cfg_options)
