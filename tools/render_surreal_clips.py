"""Render clips of a moving figure with pose, depth and body parts, in the folder layout of SURREAL.

Example:
    python tools/render_surreal_clips.py data/surreal_clips --num 800 --seed 0
    python tools/render_surreal_clips.py data/surreal_clips_large --num 2000 --num-val 200 --num-test 400 --frames 20
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('out', help='folder to write; an incomplete one is completed, a complete one is left alone')
    parser.add_argument('--num', type=int, default=800, help='number of training clips (default: 800)')
    parser.add_argument('--num-val', type=int, default=100, help='number of validation clips (default: 100)')
    parser.add_argument('--num-test', type=int, default=200, help='number of test clips (default: 200)')
    parser.add_argument('--frames', type=int, default=2, help='frames per clip (default: 2)')
    parser.add_argument('--seed', type=int, default=0, help='random seed; equal seeds give equal files (default: 0)')
    return parser.parse_args()


def main() -> None:
    """Render the clips, or say that they are there already."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from renderers.surreal_clips import render_surreal_clips

    from mmfct.utils.user_errors import user_errors

    numbers = dict(num_train=args.num, num_val=args.num_val, num_test=args.num_test)
    with user_errors():
        count = render_surreal_clips(args.out, **numbers, frames=args.frames, seed=args.seed)
    total = args.num + args.num_val + args.num_test
    if count:
        print(f'Rendered {count} of {total} clips; {args.out} is complete')
    else:
        print(f'{args.out} holds these {total} clips already: nothing to do')


if __name__ == '__main__':
    main()
