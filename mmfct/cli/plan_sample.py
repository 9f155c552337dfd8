r"""Choose which items of a gallery to embed with a new model, to learn a transformation from them.

Writes their ids, one a line, and beside them <out>.json: how they were chosen, and how far the items of the gallery
are from the nearest chosen one.

Coverage is the default: it is about as good as a random sample for most items and far better for rare ones. Measured
on photographs embedded with EfficientNet-Lite, it finds 0 to 1.0 points more of the new model's ten nearest neighbours
with 500 pairs, and between 0.2 points less and as many with 2,000; of a rare kind of images, 8 % of the gallery, 11.6
and 4.4 points more. It gives pairs to varied kinds of items that dense kinds lack then: of two equal parts of a
gallery the dense one lost 0.7 points and the varied one won 3.7 (500 pairs, one seed). Scores of held-out pairs are
those of the whole gallery only with --by random. See tools/experiments/plan_sample.py.

Example:
    mmfct plan-sample gallery_old --size 2000 --out ids.txt
    mmfct plan-sample gallery_old --size 500 --by random --have embedded.txt --out more_ids.txt
    mmfct plan-sample lancedb:db/items#v1 --have lancedb:db/items#v2 --size 500 --out ids.txt --distance l2
    mmfct plan-sample lancedb:db/items --size 2000 --out ids.txt --distance cosine --id-column key
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_source_options, command_parser, need_hosts, source_options
from mmfct.utils.user_errors import user_errors

# Those of `mmfct.apis.plan_sample`, whose import takes seconds.
METHODS = ('coverage', 'random', 'mixed', 'farthest')


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'plan-sample', prog)
    parser.add_argument(
        'gallery',
        help='embeddings of the old model: folder of a gallery; or vectors of another program: Parquet, X.npy with '
        'X.ids.txt beside it, lancedb:FOLDER/TABLE, qdrant:http://HOST:PORT/COLLECTION or qdrant:FOLDER/COLLECTION',
    )
    parser.add_argument('--size', type=int, required=True, help='number of items to embed')
    parser.add_argument('--out', required=True, help='file of the ids, one a line')
    parser.add_argument(
        '--by',
        choices=METHODS,
        default='coverage',
        help='how to choose: coverage, the items nearest to the centres of k-means; random; mixed, half of both; '
        'farthest, again and again the item that is farthest from those chosen, which is worse than random except for '
        'rare items (default: coverage)',
    )
    parser.add_argument('--seed', type=int, default=0, help='random seed (default: 0)')
    parser.add_argument(
        '--have',
        metavar='FILE',
        help='text file with the ids of the items that are embedded already, one a line; or their new vectors, of the '
        'kinds that `gallery` may be, where rows without one do not count',
    )
    parser.add_argument('--have-column', metavar='NAME', help='column of --have with the vectors (default: found)')
    add_source_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Choose the items."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.plan_sample import plan_sample

    with user_errors():
        names = ('gallery', 'out', 'size', 'by', 'seed', 'have')
        words = {name: getattr(args, name) for name in names} | dict(have_vector=args.have_column)
        plan_sample(**words, options=source_options(args))
