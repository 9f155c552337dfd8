r"""Print and draw the nearest neighbours of images, or of an embedding set, in a gallery.

Example:
    mmfct search gallery_upgraded photo.jpg --config configs/fct/resnet10_grocery.py \
        --checkpoint work_dirs/resnet10_grocery_new/final.pth --image-root data/images --out work_dirs/search
    mmfct search gallery_upgraded --query queries_new --image-root data/images --out work_dirs/search
    mmfct search gallery_old --query queries_new --adapter adapter.safetensors \
        --upgraded gallery_upgraded_so_far
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import (
    add_cfg_options,
    add_source_options,
    command_parser,
    config_file,
    need_hosts,
    source_options,
)
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'search', prog)
    parser.add_argument(
        'gallery',
        help='folder of the gallery; or, with --query, vectors of another program: Parquet, X.npy, '
        'lancedb:FOLDER/TABLE, qdrant:... , read into memory',
    )
    parser.add_argument(
        'images', nargs='*', metavar='image', help='image files, embedded with --config and --checkpoint'
    )
    parser.add_argument(
        '--config',
        type=config_file,
        help="config of the gallery's model, or of the transformation that upgraded the gallery",
    )
    parser.add_argument('--checkpoint', help="checkpoint of the gallery's model")
    parser.add_argument(
        '--role',
        choices=['old', 'new'],
        default='new',
        help="which encoder of a transformation's config to use (default: new)",
    )
    parser.add_argument('--query', help='embedding set of queries, instead of image files')
    parser.add_argument('--k', type=int, default=5, help='neighbours per query (default: 5)')
    parser.add_argument(
        '--adapter',
        help="transform file of `mmfct learn --direction query`: the queries are of a newer model than the gallery's",
    )
    parser.add_argument(
        '--upgraded',
        metavar='GALLERY',
        help='with --adapter, those items of the gallery that are upgraded already: they are searched directly, the '
        'others through the adapter',
    )
    parser.add_argument('--upgraded-index', metavar='FILE', help='FAISS index of --upgraded (default: exact search)')
    parser.add_argument(
        '--gallery-model',
        metavar='NAME',
        help='with --adapter, model of a gallery of another program; --model is then that of queries and --upgraded',
    )
    parser.add_argument('--index', help='FAISS index of the gallery (default: exact search)')
    parser.add_argument('--image-root', help='folder that the ids of the gallery are relative to, for the figure')
    parser.add_argument(
        '--query-root', help='folder that the ids of --query are relative to, for the figure (default: --image-root)'
    )
    parser.add_argument('--out', help='folder for neighbours.json and, with --image-root, neighbours.png')
    add_source_options(parser)
    add_cfg_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Search."""
    parser = make_parser(prog)
    args = parser.parse_args(argv)
    if not args.adapter and (args.upgraded or args.upgraded_index or args.gallery_model):
        parser.error('--upgraded, --upgraded-index and --gallery-model need --adapter')
    if bool(args.images) == bool(args.query) or (args.images and not (args.config and args.checkpoint)):
        parser.error('give images with --config and --checkpoint, or --query')
    need_hosts('mmengine', 'mmcv')
    from mmfct.apis.search_gallery import AdapterFiles, search_gallery, search_images

    options = dict(k=args.k, index=args.index, image_root=args.image_root, out=args.out)
    with user_errors():
        if args.adapter:
            files = AdapterFiles(args.adapter, args.upgraded, args.upgraded_index, args.gallery_model)
            options['adapter'] = files
        if args.query:
            search_gallery(
                args.gallery, args.query, query_root=args.query_root, options=source_options(args), **options
            )
        else:
            model = dict(role=args.role, cfg_options=args.cfg_options)
            search_images(args.gallery, args.images, args.config, args.checkpoint, **model, **options)
