r"""Print the nearest neighbours of images, or of embedded queries, in a gallery, and draw them.

Example:
    python tools/search_gallery.py gallery_upgraded photo.jpg --config configs/fct/resnet10_grocery.py \
        --checkpoint work_dirs/resnet10_grocery_new/final.pth --image-root data/images --out work_dirs/search
    python tools/search_gallery.py gallery_upgraded --query queries_new --image-root data/images --out work_dirs/search
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    from mmfct.apis.training.cfg_options import DictAction

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('gallery', help='folder of the gallery')
    parser.add_argument('images', nargs='*', metavar='image', help='image files, embedded with --config')
    parser.add_argument('--config', help="config of the gallery's model, or of the transformation that upgraded it")
    parser.add_argument('--checkpoint', help="checkpoint of the gallery's model")
    parser.add_argument(
        '--role', choices=['old', 'new'], default='new', help="encoder of a transformation's config (default: new)"
    )
    parser.add_argument('--query', help='instead of images: a folder of embedded queries, in the format of a gallery')
    parser.add_argument('--k', type=int, default=5, help='number of neighbours (default: 5)')
    parser.add_argument('--index', help='FAISS index of the gallery (default: compare with every row)')
    parser.add_argument('--image-root', help='folder of the images that ids are relative to, for the picture sheet')
    parser.add_argument('--out', help='folder for neighbours.json, and with --image-root for neighbours.png')
    parser.add_argument(
        '--cfg-options', nargs='+', default={}, action=DictAction, help='KEY=VALUE: variables or dotted entries'
    )
    args = parser.parse_args()
    if bool(args.images) == bool(args.query) or (args.images and not (args.config and args.checkpoint)):
        parser.error('give images with --config and --checkpoint, or --query')
    return args


def main() -> None:
    """Search."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from mmfct.apis.search_gallery import search_gallery, search_images
    from mmfct.utils.user_errors import user_errors

    options = dict(k=args.k, index=args.index, image_root=args.image_root, out=args.out)
    with user_errors():
        if args.query:
            search_gallery(args.gallery, args.query, **options)
        else:
            model = dict(role=args.role, cfg_options=args.cfg_options)
            search_images(args.gallery, args.images, args.config, args.checkpoint, **model, **options)


if __name__ == '__main__':
    main()
