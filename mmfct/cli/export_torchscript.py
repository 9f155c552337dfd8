"""Export a trained model as TorchScript, with the signatures of the FCT reference.

A model with a backbone becomes `images -> (B, D, 1, 1)`, a transformation `(old, side) -> (B, D', 1, 1)`. With
--with-encoders, a transformation is exported behind its old model and side-information: `images -> (B, D', 1, 1)`.
The caller normalises the images.

Example:
    mmfct export-torchscript configs/fct/resnet10_digits.py work_dirs/resnet10_digits/final.pth h.pt
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_cfg_options, command_parser, config_file, need_hosts
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'export-torchscript', prog)
    parser.add_argument('config', type=config_file, help='config of a transformation, or of a model with a backbone')
    parser.add_argument('checkpoint', help='checkpoint of that model')
    parser.add_argument('out', help='TorchScript file to write')
    parser.add_argument(
        '--with-encoders',
        action='store_true',
        help='export a transformation behind its old model and side-information',
    )
    parser.add_argument(
        '--image-size',
        type=int,
        help='height and width to trace with, in pixels (default: image_size of the config, or 224)',
    )
    add_cfg_options(parser, 'options that the training was given')
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Export the model."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine', 'mmcv')
    from mmfct.apis.export_torchscript import export_torchscript

    with user_errors():
        export_torchscript(
            args.config,
            args.checkpoint,
            args.out,
            with_encoders=args.with_encoders,
            image_size=args.image_size,
            cfg_options=args.cfg_options,
        )
