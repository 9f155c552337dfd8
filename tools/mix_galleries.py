"""Replace rows of an upgraded gallery by embeddings that were recomputed from the images.

The column `origin` of the result tells the rows apart: 0 upgraded, 1 recomputed.

Example:
    python tools/mix_galleries.py gallery_upgraded gallery_recomputed gallery_mixed
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('upgraded', help='folder of the upgraded gallery, which may have been mixed before')
    parser.add_argument('recomputed', help='folder of a gallery of some of its items, made by the new model')
    parser.add_argument('out', help='folder of the mixed gallery')
    return parser.parse_args()


def main() -> None:
    """Mix the galleries."""
    require_hosts('mmengine')
    args = parse_args()
    from mmfct.apis.mix_galleries import mix_galleries
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        mix_galleries(args.upgraded, args.recomputed, args.out)


if __name__ == '__main__':
    main()
