"""Write a transform file as ONNX or TorchScript, for programs that run these.

The inputs are `old` (N, D) and, if the transformation uses side-information, `side` (N, S); the output is `upgraded`
(N, D'). What is written is compared with the transform file. Models, distance and fingerprint are its metadata.

Example:
    mmfct convert-transform h.safetensors h.onnx
    mmfct convert-transform h.safetensors h.pt
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import command_parser, need_hosts
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'convert-transform', prog)
    parser.add_argument('transform', help='transform file')
    parser.add_argument('out', help='file to write: .onnx for ONNX, .pt for TorchScript')
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Convert the transform file."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.convert_transform import convert_transform

    with user_errors():
        convert_transform(args.transform, args.out)
