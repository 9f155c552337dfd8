"""Build a FAISS index of a gallery and measure its recall.

Entry n of the index is row n of the gallery. Rows are added block by block; a progress bar shows the rate and the time
left.

Example:
    mmfct index gallery_upgraded gallery_upgraded.faiss --factory IVF16,Flat --parameters nprobe=4
    mmfct index items.parquet items.faiss --model encoder-v1 --distance cosine
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_source_options, command_parser, need_hosts, source_options
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'index', prog)
    parser.add_argument(
        'gallery',
        help='folder of the gallery; or vectors of another program: Parquet, X.npy, lancedb:FOLDER/TABLE, '
        'qdrant:... , read into memory',
    )
    parser.add_argument('out', help='index file to write; OUT.json beside it names the gallery and the model')
    parser.add_argument(
        '--factory', default='Flat', help='FAISS factory string: IVF1024,Flat, HNSW32, PQ16 ... (default: Flat)'
    )
    parser.add_argument(
        '--parameters', default='', help='search parameters, stored in OUT.json: nprobe=16, efSearch=64 ...'
    )
    parser.add_argument('--train-rows', type=int, default=100_000, help='rows to train the index on (default: 100000)')
    parser.add_argument('--query', help='embedding set of queries for the recall (default: rows of the gallery)')
    parser.add_argument('--k', type=int, default=10, help='number of neighbours for the recall (default: 10)')
    parser.add_argument(
        '--num-queries',
        type=int,
        default=1000,
        help='gallery rows that serve as queries without --query; 0 skips the recall (default: 1000)',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the training rows and the queries (default: 0)')
    add_source_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Build the index."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.build_index import IndexOptions, index_gallery

    options = {key: value for key, value in vars(args).items() if key in IndexOptions.__dataclass_fields__}
    with user_errors():
        index_gallery(
            args.gallery, args.out, IndexOptions(**options), query=args.query, source_options=source_options(args)
        )
