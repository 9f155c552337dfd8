"""Put embeddings that were recomputed from the images into an upgraded gallery; each row knows where it came from.

Example:
    python tools/mix_galleries.py gallery_upgraded gallery_recomputed gallery_mixed
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('upgraded', help='folder of the upgraded gallery, mixed before or not')
    parser.add_argument('recomputed', help='folder of some of its items embedded by the new model')
    parser.add_argument('out', help='folder of the mixed gallery, with a column origin: 0 upgraded, 1 recomputed')
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
