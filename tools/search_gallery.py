"""Print the nearest neighbours of queries in a gallery, and draw them.

Example:
    python tools/search_gallery.py gallery_upgraded --query queries_new --image-root data/images --out work_dirs/search
"""

from __future__ import annotations

import argparse
import sys

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('gallery', help='folder of the gallery')
    parser.add_argument('--query', required=True, help='folder of embedded queries, in the format of a gallery')
    parser.add_argument('--k', type=int, default=5, help='number of neighbours')
    parser.add_argument('--index', help='FAISS index of the gallery (default: compare with every row)')
    parser.add_argument('--image-root', help='folder of the images that ids are relative to, for the picture sheet')
    parser.add_argument('--out', help='folder for neighbours.json, and with --image-root for neighbours.png')
    return parser.parse_args()


def main() -> int:
    """Search, and return the exit status."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from mmfct.apis.search import search_gallery

    try:
        search_gallery(**vars(args))
    except (FileNotFoundError, ImportError, ValueError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
