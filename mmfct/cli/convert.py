"""Convert a gallery to Parquet; or Parquet, or vectors of any other store, to a gallery.

Example:
    mmfct convert gallery gallery.parquet
    mmfct convert gallery.parquet gallery_again
    mmfct convert edited.parquet gallery_again --accept-changes
    mmfct convert vectors.npy gallery --model text-embedding-3-small --distance cosine
    mmfct convert qdrant:http://localhost:6333/items gallery --model encoder-v1 --label-column class
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_source_options, command_parser, need_hosts, source_options
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'convert', prog)
    parser.add_argument(
        'source',
        help='folder of a gallery; or a Parquet file, or a folder of Parquet files, nested or not; or vectors of '
        'another program: Parquet, X.npy with X.ids.txt beside it, lancedb:FOLDER/TABLE, '
        'qdrant:http://HOST:PORT/COLLECTION or qdrant:FOLDER/COLLECTION',
    )
    parser.add_argument(
        'out', help='NAME.parquet, or a folder for one Parquet file per shard; or a folder for a gallery'
    )
    add_source_options(parser, 'distance between vectors of another program (default: that of the store, or else l2)')
    parser.add_argument('--shard-rows', type=int, default=16384, help='rows per shard of the gallery (default: 16384)')
    parser.add_argument(
        '--accept-changes',
        action='store_true',
        help='make a gallery of Parquet whose rows another program has removed, added or changed since it was written '
        'from a gallery; models and distance stay those of that gallery',
    )
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Convert."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from dataclasses import replace

    from mmfct.apis.convert_gallery import convert_gallery

    with user_errors():
        options = replace(source_options(args), shard_rows=args.shard_rows, fallback_distance='l2')
        convert_gallery(args.source, args.out, options=options, accept_changes=args.accept_changes)
