"""Append items to a gallery, replace them or remove them, without embedding the others again.

A new gallery is written; the provenance stays. If it is interrupted, run the same command again: it continues where
it stopped.

Example:
    mmfct extend gallery gallery_today --add new_items
    mmfct extend gallery gallery_today --remove ids.txt
    mmfct extend gallery_upgraded gallery_today --add items_of_new_model --common-columns
    mmfct extend gallery gallery_today --add new_items.parquet --model encoder-v1 --distance cosine
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_source_options, command_parser, need_hosts, source_options
from mmfct.utils.interruption import resumable
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'extend', prog)
    parser.add_argument(
        'gallery',
        help='folder of the gallery, or the gallery as Parquet; or vectors of another program: Parquet, X.npy, '
        'lancedb:FOLDER/TABLE, qdrant:...',
    )
    parser.add_argument('out', help='folder of the new gallery')
    parser.add_argument(
        '--add',
        nargs='+',
        default=[],
        metavar='GALLERY',
        help='galleries, or vectors of other programs, of the items to append, made by the same model',
    )
    parser.add_argument('--remove', metavar='FILE', help='text file with the ids of the items to remove, one a line')
    parser.add_argument(
        '--replace',
        dest='replace_items',
        action='store_true',
        help='let an added item take the place of one that has its id (default: refuse it)',
    )
    parser.add_argument(
        '--common-columns',
        action='store_true',
        help='leave out columns that not all galleries have, such as side_info (default: refuse them)',
    )
    add_source_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Write the new gallery."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.extend_gallery import extend_gallery

    with user_errors(), resumable():
        names = ('gallery', 'out', 'add', 'remove', 'replace_items', 'common_columns')
        extend_gallery(**{name: getattr(args, name) for name in names}, options=source_options(args))
