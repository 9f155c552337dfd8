"""Upgrade the gallery of an old model to a new model, without reading an image.

Several transform files are applied in one pass. If it is interrupted, run the same command again: it continues where
it stopped.

Example:
    mmfct upgrade gallery_old h.safetensors gallery_upgraded --dry-run
    mmfct upgrade gallery_v1 h12.safetensors h23.safetensors gallery_v3
    mmfct upgrade gallery_old.parquet h.safetensors gallery_upgraded --engine ray
    mmfct upgrade lancedb:db/items h.safetensors gallery_upgraded --model encoder-v1 --distance l2
    mmfct upgrade lancedb:db/items h.safetensors 'lancedb:db/items#vector_v2' --model encoder-v1 ...
    mmfct upgrade gallery_old h.safetensors gallery_upgraded --side side.npy --side-model clip-b32
    mmfct upgrade qdrant:db/items h.safetensors qdrant:db/items_v2 --model encoder-v1 --switch live
    mmfct upgrade qdrant:db/items h.safetensors qdrant:db/items_v2 --rollback live
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import (
    add_device,
    add_launcher,
    add_source_model,
    add_vector_columns,
    command_parser,
    need_hosts,
    set_local_rank,
    source_options,
)
from mmfct.utils.distances import DISTANCES
from mmfct.utils.interruption import resumable
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'upgrade', prog)
    parser.add_argument(
        'gallery',
        help='folder of the gallery; or vectors of another program: Parquet, X.npy with X.ids.txt beside it, '
        'lancedb:FOLDER/TABLE, qdrant:http://HOST:PORT/COLLECTION or qdrant:FOLDER/COLLECTION',
    )
    parser.add_argument(
        'transforms', nargs='+', metavar='transform', help='transform files, written by `mmfct export`'
    )
    parser.add_argument(
        'out',
        help='folder of the upgraded gallery; or the address of a new table or collection, or, with the address of '
        '`gallery` and #NAME, a new column or named vector of it',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='print the size and time of the upgrade, and the time of a backfill'
    )
    parser.add_argument(
        '--dtype',
        choices=['float32', 'float16', 'bfloat16'],
        default='float32',
        help='precision of the computation; float32 is stored (default: float32)',
    )
    parser.add_argument('--batch-size', type=int, default=1024, help='rows per forward pass (default: 1024)')
    add_device(parser)
    parser.add_argument(
        '--distance',
        choices=DISTANCES,
        help='distance to compare embeddings by: upgraded ones, and those of a store that does not say it '
        "(default: the gallery's)",
    )
    parser.add_argument(
        '--side',
        metavar='SOURCE',
        help='side-information that is stored apart, of the kinds that `gallery` may be: it is matched by id and must '
        'have all of them; --side-model and --side-column are then those of this source',
    )
    add_source_model(parser)
    add_vector_columns(parser)
    parser.add_argument(
        '--engine', choices=['local', 'ray'], default='local', help='compute here or on a Ray cluster (default: local)'
    )
    add_launcher(parser)
    alias = parser.add_mutually_exclusive_group()
    alias.add_argument(
        '--switch',
        metavar='ALIAS',
        help='once `out`, a collection of Qdrant, is complete and was compared with `gallery`, let this alias name it',
    )
    alias.add_argument(
        '--rollback',
        metavar='ALIAS',
        help='write nothing, and let this alias name the collection again that it named before --switch',
    )
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Upgrade the gallery, or estimate what that takes."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    set_local_rank(args.local_rank)
    from mmfct.apis.upgrade_gallery import estimate_upgrade, rollback_switch, upgrade_gallery, upgrade_into_store
    from mmfct.retrieval.stores.address import is_store
    from mmfct.utils.launch import leave_ranks

    with user_errors(), resumable():
        options = dict(dtype=args.dtype, batch_size=args.batch_size, device=args.device, options=source_options(args))
        if args.dry_run:
            print(estimate_upgrade(args.gallery, args.transforms, **options))
            return
        if args.rollback is not None:
            rollback_switch(args.out, args.rollback)
            return
        if is_store(args.out):
            if args.engine != 'local' or args.launcher != 'none':
                raise ValueError('a database is written by one process: leave `--engine` and `--launcher` out')
            words = (args.gallery, args.transforms, args.out)
            upgrade_into_store(*words, distance=args.distance, switch=args.switch, **options)
            return
        if args.switch is not None:
            raise ValueError(f'`--switch` needs a collection of Qdrant as `out`, got {args.out!r}')
        rest = dict(distance=args.distance, launcher=args.launcher, engine=args.engine)
        upgrade_gallery(args.gallery, args.transforms, args.out, **rest, **options)
    leave_ranks()
