"""Merge the parts of a gallery that independent jobs have extracted.

All parts must be there, and of one model and one list of images; the result has the bytes that one job would have
written. The parts stay where they are.

Example:
    mmfct merge gallery
    mmfct merge gallery /mnt/a/gallery.1-of-2 /mnt/b/gallery.2-of-2
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import command_parser, need_hosts
from mmfct.utils.interruption import resumable
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'merge', prog)
    parser.add_argument('out', help='folder of the gallery, as given to `mmfct extract --shard`')
    parser.add_argument('parts', nargs='*', help='folders of the parts (default: OUT.1-of-N and so on, beside OUT)')
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Merge the parts."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.merge_gallery import merge_gallery

    with user_errors(), resumable():
        merge_gallery(args.out, args.parts)
