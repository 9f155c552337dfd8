"""Make a gallery: embeddings, and side-information for later upgrades, of a data set or a folder of images.

With the config of a transform's stage, a checkpoint of its old model brings the side-information along, in the same
pass. A job that was stopped continues when the same command is run again. Several processes share the work under
torchrun with `--launcher pytorch`.

Example:
    python tools/extract_gallery.py configs/fct/resnet10_digits.py work_dirs/resnet10_digits_old/final.pth galleries/v1
    python tools/extract_gallery.py configs/fct/resnet10_digits.py work_dirs/resnet10_digits_new/final.pth galleries/q
    python tools/extract_gallery.py CONFIG CHECKPOINT galleries/v1 --images photos
"""

from __future__ import annotations

import argparse
import os

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('filename', metavar='config', help='config file of the model, or of a transform')
    parser.add_argument('checkpoint', help='checkpoint of the model')
    parser.add_argument('out', help='folder of the gallery')
    parser.add_argument('--role', choices=['old', 'new'], help='which model of a transform it is, if its path differs')
    parser.add_argument('--side-config', help='config of the model of the side-information')
    parser.add_argument('--side-checkpoint', help='checkpoint of it')
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='test', help='data set of the config')
    parser.add_argument('--images', help='folder of images to take instead, with all folders below it')
    parser.add_argument('--labels-from-folders', action='store_true', help='the first folder of an image is its class')
    parser.add_argument('--distance', default='l2', help='how embeddings are compared (default: l2)')
    parser.add_argument('--batch-size', type=int, default=64, help='images per forward pass (default: 64)')
    parser.add_argument('--workers', type=int, dest='num_workers', help='processes that load images (default: config)')
    parser.add_argument('--shard-rows', type=int, default=4096, help='images per shard (default: 4096)')
    parser.add_argument('--device', help="where networks run, such as 'cpu' or 'cuda:1' (default: accelerator)")
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument('--cfg-options', nargs='+', default={}, action=DictAction, help='KEY=VALUE, as in training')
    return parser.parse_args()


def main() -> None:
    """Extract."""
    require_hosts('mmengine', 'mmcv')
    arguments = vars(parse_args())
    os.environ.setdefault('LOCAL_RANK', str(arguments.pop('local_rank')))
    from mmfct.apis.extract_gallery import extract_gallery
    from mmfct.apis.interruption import resumable

    with resumable():
        extract_gallery(**arguments)


if __name__ == '__main__':
    main()
