r"""Rank the items of an upgraded gallery by how urgently to re-embed them from the images.

With --new and --query, also measure the accuracy against the recomputed share of the gallery, warn where it falls
before it rises, and try corrections of the upgraded vectors.

Example:
    mmfct plan-backfill gallery_upgraded work_dirs/backfill --order class_mean random
    mmfct plan-backfill gallery_upgraded work_dirs/backfill --order class_mean random oracle \
        --new gallery_new --query queries_new
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_groups, add_source_options, command_parser, need_hosts, source_options
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'plan-backfill', prog)
    parser.add_argument(
        'upgraded',
        help='folder of the upgraded gallery; or vectors of another program: Parquet, X.npy, lancedb:FOLDER/TABLE, '
        'qdrant:... , read into memory',
    )
    parser.add_argument('out', help='folder for order_<name>.csv, and for the table and figure of the curve')
    parser.add_argument(
        '--order',
        nargs='+',
        default=['random'],
        help='uncertainty, class_mean, random, oracle; oracle needs --new (default: random)',
    )
    parser.add_argument('--new', help='gallery of the same items, made by the new model')
    parser.add_argument('--query', help='labelled embedding set, made by the new model')
    parser.add_argument('--uncertainty', help='.npy file with a log-variance per row (default: column log_variance)')
    parser.add_argument('--seed', type=int, default=0, help='seed of the random order (default: 0)')
    add_groups(parser)
    add_source_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Plan the backfill."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.plan_backfill import plan_backfill

    options = {name: getattr(args, name) for name in ('new', 'query', 'uncertainty', 'seed', 'groups', 'exclude')}
    with user_errors():
        plan_backfill(args.upgraded, args.out, orders=args.order, **options, options=source_options(args))
