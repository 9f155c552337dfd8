r"""Compute the embedding and the side-information of every image of a data set or a folder.

Interrupted, it goes on where it stopped when it is run once more.

Example:
    python tools/extract_gallery.py configs/fct/resnet10_digits.py work_dirs/resnet10_digits_old/final.pth old
    python tools/extract_gallery.py configs/fct/resnet10_digits.py work_dirs/resnet10_digits_new/final.pth new \
        --role new
"""

from __future__ import annotations

import argparse
import os

from mmfct.hosts import require_hosts
from mmfct.utils.distances import DISTANCES


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    from mmfct.apis.training.cfg_options import DictAction

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('filename', metavar='config', help='config file of a transformation, or of a classifier')
    parser.add_argument('checkpoint', help='checkpoint of the embedding model')
    parser.add_argument('out', help='folder of the gallery')
    parser.add_argument(
        '--role', choices=['old', 'new'], default='old', help="encoder of a transformation's config (default: old)"
    )
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='test', help='data set (default: test)')
    parser.add_argument('--images', help='a folder of image files instead')
    parser.add_argument('--side-checkpoint', help="checkpoint of the side-information (default: the config's)")
    parser.add_argument('--no-side', dest='with_side', action='store_false', help='leave out the side-information')
    parser.add_argument('--distance', choices=DISTANCES, default='l2', help='(default: l2)')
    parser.add_argument('--batch-size', type=int, default=256, help='images at once')
    parser.add_argument('--num-workers', type=int, default=0, help='processes that load images')
    parser.add_argument('--shard-rows', type=int, default=16384, help='rows per file')
    parser.add_argument('--device', help="where the networks run, such as 'cpu' or 'cuda:1' (default: accelerator)")
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument(
        '--cfg-options', nargs='+', default={}, action=DictAction, help='KEY=VALUE: variables or dotted entries'
    )
    return parser.parse_args()


def main() -> None:
    """Extract the gallery."""
    require_hosts('mmengine', 'mmcv')
    options = vars(parse_args())
    os.environ.setdefault('LOCAL_RANK', str(options.pop('local_rank')))
    from mmfct.apis.extract_gallery import extract_gallery
    from mmfct.engine.launch import leave_ranks
    from mmfct.utils.interruption import resumable
    from mmfct.utils.user_errors import user_errors

    with user_errors(), resumable():
        extract_gallery(**options)
    leave_ranks()


if __name__ == '__main__':
    main()
