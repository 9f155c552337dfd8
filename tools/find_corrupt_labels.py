"""Rank the training labels by suspicion, after a training with a weight per instance and task.

Example:
    python tools/find_corrupt_labels.py configs/itp/unet_street_scenes.py work_dirs/unet_street_scenes/final.pth
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    from mmfct.apis.training.config import DictAction

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of the training')
    parser.add_argument('checkpoint', help='a checkpoint of it')
    parser.add_argument('--out', help='folder for tables and pictures (default: suspects, beside the checkpoint)')
    parser.add_argument('--tasks', nargs='+', help='tasks to look at (default: all)')
    parser.add_argument(
        '--top', type=int, default=20, help='number of suspects in each picture, 0 for none (default: 20)'
    )
    parser.add_argument(
        '--corrupted', help='CSV with columns file and task of labels known to be wrong, to measure the detection'
    )
    parser.add_argument('--device', help="where the network runs, such as 'cpu' or 'cuda:1' (default: accelerator)")
    parser.add_argument(
        '--cfg-options', nargs='+', default={}, action=DictAction, help='KEY=VALUE: those that the training had'
    )
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
