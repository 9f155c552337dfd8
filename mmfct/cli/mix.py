"""Replace rows of an upgraded gallery by embeddings that were recomputed from the images.

The column `origin` of the result tells the rows apart: 0 upgraded, 1 recomputed.

Example:
    mmfct mix gallery_upgraded gallery_recomputed gallery_mixed
    mmfct mix gallery_upgraded recomputed.parquet gallery_mixed --model v2 --distance cosine
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import (
    add_skip_missing,
    add_source_model,
    add_vector_columns,
    command_parser,
    need_hosts,
    source_options,
)
from mmfct.utils.distances import DISTANCES
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'mix', prog)
    parser.add_argument('upgraded', help='folder of the upgraded gallery, which may have been mixed before')
    parser.add_argument(
        'recomputed',
        help='some of its items, embedded by the new model: folder of a gallery; or vectors of another program: '
        'Parquet, X.npy, lancedb:FOLDER/TABLE, qdrant:...',
    )
    parser.add_argument('out', help='folder of the mixed gallery')
    add_source_model(parser)
    parser.add_argument(
        '--distance', choices=DISTANCES, help='how vectors of another program are compared, where it does not say it'
    )
    add_vector_columns(parser)
    add_skip_missing(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Mix the galleries."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.mix_galleries import mix_galleries

    with user_errors():
        mix_galleries(args.upgraded, args.recomputed, args.out, options=source_options(args))
