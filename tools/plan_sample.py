r"""Choose which items of a gallery to embed with a new model, to learn a transformation from them.

Writes their ids, one a line, and beside them <out>.json: how they were chosen, and how far the items of the gallery
are from the nearest chosen one.

Example:
    python tools/plan_sample.py gallery_old --size 2000 --out ids.txt
    python tools/plan_sample.py gallery_old --size 500 --by coverage --have embedded.txt --out more_ids.txt
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    from mmfct.apis.plan_sample import METHODS  # imports mmengine

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('gallery', help='embeddings of the old model: folder of a gallery, or Parquet')
    parser.add_argument('--size', type=int, required=True, help='number of items to embed')
    parser.add_argument('--out', required=True, help='file of the ids, one a line')
    parser.add_argument(
        '--by',
        choices=METHODS,
        default='random',
        help='how to choose: random; coverage, the items nearest to the centres of k-means; farthest, again and again '
        'the item that is farthest from those chosen; mixed, half at random and half by coverage (default: random)',
    )
    parser.add_argument('--seed', type=int, default=0, help='random seed (default: 0)')
    parser.add_argument(
        '--have', metavar='FILE', help='text file with the ids of the items that are embedded already, one a line'
    )
    return parser.parse_args()


def main() -> None:
    """Choose the items."""
    require_hosts('mmengine')
    args = parse_args()
    from mmfct.apis.plan_sample import plan_sample
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        plan_sample(**vars(args))


if __name__ == '__main__':
    main()
