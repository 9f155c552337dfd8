"""Train a config, after the prerequisites that it names.

A prerequisite is trained if its checkpoint is missing, resumed if it was interrupted, and skipped if it is finished.

Example:
    python tools/train.py configs/fct/resnet10_digits.py
    python tools/train.py configs/fct/resnet50_imagenet.py --cfg-options data_root=data/imagenet
"""

from __future__ import annotations

import argparse
import os

from _arguments import add_cfg_options, add_launcher, set_local_rank

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line; the options are those of mmpretrain's tool."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints (default: `work_dir` of the config, or work_dirs/<config name>)',
    )
    parser.add_argument(
        '--resume', nargs='?', const='auto', help='resume, from the latest checkpoint unless one is named'
    )
    parser.add_argument('--amp', action='store_true', help='use automatic mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='skip validation during training')
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate to the batch size over all processes: linearly for SGD and LARS, by the square '
        'root for Adam',
    )
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin the host memory of batches')
    parser.add_argument(
        '--no-persistent-workers', action='store_true', help='stop data loader workers after every epoch'
    )
    parser.add_argument(
        '--no-prerequisites',
        action='store_true',
        help='fail if a checkpoint of a prerequisite is missing, instead of training it',
    )
    add_launcher(parser)
    add_cfg_options(parser)
    args = parser.parse_args()
    if not os.path.isfile(args.config):
        parser.error(f'there is no config {args.config!r}')
    return args


def main() -> None:
    """Run the training."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    set_local_rank(args.local_rank)
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.train import train
    from mmfct.engine.launch import leave_ranks
    from mmfct.utils.user_errors import user_errors

    values = {key: value for key, value in vars(args).items() if key in TrainingOptions.__dataclass_fields__}
    with user_errors(of_others=False):
        train(args.config, TrainingOptions(**values), with_prerequisites=not args.no_prerequisites)
    leave_ranks()


if __name__ == '__main__':
    main()
