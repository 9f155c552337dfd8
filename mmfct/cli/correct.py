"""Put the correction that `mmfct plan-backfill` has found into a transform file; then upgrade with the new file.

Upgraded vectors may be too short, or too near to one another, beside recomputed ones in one gallery. The command
`mmfct plan-backfill` says whether a correction helps, and writes it to `correction.npz` in its report folder.

Example:
    mmfct correct h.safetensors work_dirs/backfill/correction.npz h_corrected.safetensors
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import command_parser, need_hosts
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'correct', prog)
    parser.add_argument('transform', help='transform file')
    parser.add_argument('correction', help='correction.npz of `mmfct plan-backfill`')
    parser.add_argument('out', help='transform file to write')
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Correct the transform file."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.correct_transform import correct_transform

    with user_errors():
        correct_transform(args.transform, args.correction, args.out)
