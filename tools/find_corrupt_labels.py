"""Rank the training labels by how suspicious they are, after a training with a weight per instance and task.

Example:
    python tools/find_corrupt_labels.py configs/itp/unet_street_scenes.py work_dirs/unet_street_scenes/final.pth
"""

from __future__ import annotations

import argparse

from _arguments import add_cfg_options, add_device

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the training')
    parser.add_argument('checkpoint', help='checkpoint of that training')
    parser.add_argument('--out', help='folder for tables and figures (default: suspects, beside the checkpoint)')
    parser.add_argument('--tasks', nargs='+', help='tasks to rank (default: all)')
    parser.add_argument('--top', type=int, default=20, help='suspects per figure, 0 for no figures (default: 20)')
    parser.add_argument(
        '--corrupted', help='CSV with columns file and task that lists wrong labels, to measure the detection'
    )
    add_device(parser)
    add_cfg_options(parser, 'options that the training was given')
    return parser.parse_args()


def main() -> None:
    """Find the labels."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from mmfct.apis.find_corrupt_labels import find_corrupt_labels
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        find_corrupt_labels(
            args.config,
            args.checkpoint,
            args.out,
            cfg_options=args.cfg_options,
            tasks=args.tasks,
            top=args.top,
            corrupted=args.corrupted,
            device=args.device,
        )


if __name__ == '__main__':
    main()
