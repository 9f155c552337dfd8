"""Upgrade a gallery to a new model: old embeddings and side-information through h, no image.

Several transforms form a chain, v1 -> v2 -> v3, that is applied in one pass. A job that was stopped continues when the
same command is run again. Several processes share the work under torchrun with `--launcher pytorch`.

Example:
    python tools/upgrade_gallery.py galleries/v1 h_v2.safetensors galleries/v2 --dry-run
    python tools/upgrade_gallery.py galleries/v1 h_v2.safetensors galleries/v2
    python tools/upgrade_gallery.py galleries/v1 h_v2.safetensors h_v3.safetensors galleries/v3
"""

from __future__ import annotations

import argparse
import os

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('gallery', help='folder of the gallery')
    parser.add_argument('transforms', nargs='+', help='files of tools/export_transform.py, in order')
    parser.add_argument('out', help='folder of the upgraded gallery')
    parser.add_argument('--dry-run', action='store_true', help='say what it would take, and write nothing')
    parser.add_argument('--dtype', choices=['float32', 'float16', 'bfloat16'], default='float32', help='to compute in')
    parser.add_argument('--batch-size', type=int, default=1024, help='rows per matrix product (default: 1024)')
    parser.add_argument('--device', help="where h runs, such as 'cpu' or 'cuda:1' (default: accelerator)")
    parser.add_argument('--backfill-rate', type=float, help='with --dry-run: images per second of the new model')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Upgrade, or estimate."""
    require_hosts('mmengine')
    args = parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    from mmfct.apis.interruption import resumable
    from mmfct.apis.upgrade_gallery import estimate_upgrade, upgrade_gallery

    options = dict(dtype=args.dtype, batch_size=args.batch_size, device=args.device)
    if args.dry_run:
        print(estimate_upgrade(args.gallery, args.transforms, backfill_rate=args.backfill_rate, **options).summary())
        return
    with resumable():
        upgrade_gallery(args.gallery, args.transforms, args.out, launcher=args.launcher, **options)


if __name__ == '__main__':
    main()
