"""Turn the gallery of an old model into one of the new model, without reading an image.

Interrupted, it goes on where it stopped when it is run once more. Several transforms are applied in one pass.

Example:
    python tools/upgrade_gallery.py gallery_old h.safetensors gallery_upgraded --dry-run
    python tools/upgrade_gallery.py gallery_v1 h12.safetensors h23.safetensors gallery_v3
    python tools/upgrade_gallery.py gallery_old.parquet h.safetensors gallery_upgraded --engine ray
"""

from __future__ import annotations

import argparse
import os

from mmfct.hosts import require_hosts
from mmfct.utils.distances import DISTANCES


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('gallery', help='folder of the gallery, or its Parquet')
    parser.add_argument('transforms', nargs='+', metavar='transform', help='files of tools/export_transform.py')
    parser.add_argument('out', help='folder of the upgraded gallery')
    parser.add_argument('--dry-run', action='store_true', help='say what it would take, and what a backfill would')
    parser.add_argument(
        '--dtype', choices=['float32', 'float16', 'bfloat16'], default='float32', help='precision of the computation'
    )
    parser.add_argument('--batch-size', type=int, default=1024, help='rows at once')
    parser.add_argument('--device', help="where h runs, such as 'cpu' or 'cuda:1' (default: accelerator)")
    parser.add_argument(
        '--distance',
        choices=DISTANCES,
        help='how upgraded embeddings are compared (default: as before)',
    )
    parser.add_argument(
        '--engine', choices=['local', 'ray'], default='local', help='who computes: this process, or a Ray cluster'
    )
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Upgrade the gallery, or estimate what that takes."""
    require_hosts('mmengine')
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
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
