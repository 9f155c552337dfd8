r"""Rank the items of an upgraded gallery by how urgently to re-embed them from the images.

With --new and --query, also measure the accuracy against the recomputed share of the gallery, warn where it falls
before it rises, and try corrections of the upgraded vectors.

Example:
    python tools/plan_backfill.py gallery_upgraded work_dirs/backfill --order class_mean random
    python tools/plan_backfill.py gallery_upgraded work_dirs/backfill --order class_mean random oracle \
        --new gallery_new --query queries_new
"""

from __future__ import annotations

import argparse

from _arguments import add_groups, add_source_model, add_vector_columns, source_options

from mmfct.hosts import require_hosts
from mmfct.utils.distances import DISTANCES


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
    add_source_model(parser)
    parser.add_argument(
        '--distance', choices=DISTANCES, help='distance between vectors of another program whose store does not say it'
    )
    add_vector_columns(parser)
    return parser.parse_args()


def main() -> None:
    """Plan the backfill."""
    require_hosts('mmengine')
    args = parse_args()
    from mmfct.apis.plan_backfill import plan_backfill
    from mmfct.utils.user_errors import user_errors

    options = {name: getattr(args, name) for name in ('new', 'query', 'uncertainty', 'seed', 'groups', 'exclude')}
    with user_errors():
        plan_backfill(args.upgraded, args.out, orders=args.order, **options, options=source_options(args))


if __name__ == '__main__':
    main()
