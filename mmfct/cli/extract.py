r"""Make a gallery: compute embeddings and side-information of the images of a data set or a folder.

If it is interrupted, run the same command again: it continues where it stopped.

Example:
    mmfct extract configs/fct/resnet10_digits.py work_dirs/resnet10_digits_old/final.pth old
    mmfct extract configs/fct/resnet10_digits.py work_dirs/resnet10_digits_new/final.pth new \
        --role new
    mmfct extract configs/fct/resnet10_grocery.py work_dirs/resnet10_grocery_new/final.pth mine \
        --role new --images photos --labels-from-folders --skip-broken
    mmfct extract configs/fct/resnet10_digits.py work_dirs/resnet10_digits_old/final.pth old \
        --shard 1/2 --shard-rows 200
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import (
    add_cfg_options,
    add_device,
    add_launcher,
    command_parser,
    config_file,
    need_hosts,
    set_local_rank,
)
from mmfct.utils.distances import DISTANCES
from mmfct.utils.interruption import resumable
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'extract', prog)
    parser.add_argument(
        'filename', metavar='config', type=config_file, help='config of a transformation, or of a classifier'
    )
    parser.add_argument('checkpoint', help='checkpoint of the embedding model')
    parser.add_argument('out', help='folder of the gallery')
    parser.add_argument(
        '--role',
        choices=['old', 'new'],
        default='old',
        help="which encoder of a transformation's config to use (default: old)",
    )
    parser.add_argument(
        '--split', choices=['train', 'val', 'test'], default='test', help='data set of the config (default: test)'
    )
    parser.add_argument('--images', help='folder of image files to embed instead of a data set')
    parser.add_argument(
        '--labels-from-folders',
        action='store_true',
        help='take the first subfolders of --images for classes; folders of one name are one class in every gallery',
    )
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help='leave out images that cannot be read and list them in OUT/skipped.json (default: stop at the first)',
    )
    parser.add_argument('--side-checkpoint', help="checkpoint of the side-information model (default: the config's)")
    parser.add_argument('--no-side', dest='with_side', action='store_false', help='leave out the side-information')
    parser.add_argument(
        '--distance', choices=DISTANCES, default='l2', help='distance to compare the embeddings by (default: l2)'
    )
    parser.add_argument('--batch-size', type=int, default=256, help='images per forward pass (default: 256)')
    parser.add_argument('--num-workers', type=int, default=0, help='processes that load images (default: 0)')
    parser.add_argument('--shard-rows', type=int, default=16384, help='rows per shard (default: 16384)')
    parser.add_argument(
        '--shard',
        metavar='K/N',
        help='make part K of N in a folder of its own, such as OUT.03-of-64; `mmfct merge` puts all together',
    )
    add_device(parser)
    add_launcher(parser)
    add_cfg_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Extract the gallery."""
    options = vars(make_parser(prog).parse_args(argv))
    need_hosts('mmengine', 'mmcv')
    set_local_rank(options.pop('local_rank'))
    from mmfct.apis.extract_gallery import extract_gallery
    from mmfct.utils.launch import leave_ranks

    with user_errors(), resumable():
        extract_gallery(**options)
    leave_ranks()
