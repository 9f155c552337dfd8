"""Upgrade the gallery of an old model to a new model, without reading an image.

Several transform files are applied in one pass. If it is interrupted, run the same command again: it continues where
it stopped.

Example:
    python tools/upgrade_gallery.py gallery_old h.safetensors gallery_upgraded --dry-run
    python tools/upgrade_gallery.py gallery_v1 h12.safetensors h23.safetensors gallery_v3
    python tools/upgrade_gallery.py gallery_old.parquet h.safetensors gallery_upgraded --engine ray
"""

from __future__ import annotations

import argparse

from _arguments import add_device, add_launcher, set_local_rank

from mmfct.hosts import require_hosts
from mmfct.utils.distances import DISTANCES


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('gallery', help='folder of the gallery, or the gallery as Parquet')
    parser.add_argument(
        'transforms', nargs='+', metavar='transform', help='transform files, written by tools/export_transform.py'
    )
    parser.add_argument('out', help='folder of the upgraded gallery')
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
        help="distance to compare the upgraded embeddings by (default: the gallery's)",
    )
    parser.add_argument(
        '--engine', choices=['local', 'ray'], default='local', help='compute here or on a Ray cluster (default: local)'
    )
    add_launcher(parser)
    return parser.parse_args()


def main() -> None:
    """Upgrade the gallery, or estimate what that takes."""
    require_hosts('mmengine')
    args = parse_args()
    set_local_rank(args.local_rank)
    from mmfct.apis.upgrade_gallery import estimate_upgrade, upgrade_gallery
    from mmfct.engine.launch import leave_ranks
    from mmfct.utils.interruption import resumable
    from mmfct.utils.user_errors import user_errors

    options = dict(dtype=args.dtype, batch_size=args.batch_size, device=args.device)
    with user_errors(), resumable():
        if args.dry_run:
            print(estimate_upgrade(args.gallery, args.transforms, **options))
            return
        rest = dict(distance=args.distance, launcher=args.launcher, engine=args.engine)
        upgrade_gallery(args.gallery, args.transforms, args.out, **rest, **options)
    leave_ranks()


if __name__ == '__main__':
    main()
