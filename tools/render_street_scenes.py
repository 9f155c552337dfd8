"""Render street scenes with segmentation labels and depth, in the folder layout of CityScapes.

Example:
    python tools/render_street_scenes.py data/street_scenes --num 400 --seed 0
    python tools/render_street_scenes.py data/street_scenes_large --num 1000 --num-val 200 --size 128 256
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='folder to write; an incomplete one is completed, a complete one is left alone')
    parser.add_argument('--num', type=int, default=400, help='number of training scenes (default: 400)')
    parser.add_argument('--num-val', type=int, default=100, help='number of validation scenes (default: 100)')
    parser.add_argument('--seed', type=int, default=0, help='random seed; equal seeds give equal files (default: 0)')
    parser.add_argument(
        '--size', type=int, nargs=2, default=(64, 128), metavar=('HEIGHT', 'WIDTH'), help='in pixels (default: 64 128)'
    )
    return parser.parse_args()


def main() -> None:
    """Render the scenes, or say that they are there already."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from renderers.street_scenes import render_street_scenes

    from mmfct.utils.user_errors import user_errors

    options = dict(num_train=args.num, num_val=args.num_val, seed=args.seed, size=tuple(args.size))
    with user_errors():
        count = render_street_scenes(args.out, **options)
    total = args.num + args.num_val
    if count:
        print(f'Rendered {count} of {total} scenes; {args.out} is complete')
    else:
        print(f'{args.out} holds these {total} scenes already: nothing to do')


if __name__ == '__main__':
    main()
