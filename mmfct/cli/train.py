"""Train a config, after the prerequisites that it names.

A prerequisite is trained if its checkpoint is missing, resumed if it was interrupted, and skipped if it is finished.

Example:
    mmfct train configs/fct/resnet10_digits.py
    mmfct train configs/fct/resnet50_imagenet.py --cfg-options data_root=data/imagenet
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from mmfct.cli._arguments import (
    add_cfg_options,
    add_launcher,
    add_verbose,
    check_config,
    command_parser,
    config_file,
    need_hosts,
    set_local_rank,
)
from mmfct.utils.interruption import resumable
from mmfct.utils.user_errors import leave_after_user_error, user_errors

if TYPE_CHECKING:
    from mmfct.apis.training.options import TrainingOptions


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'train', prog)
    parser.add_argument('config', type=config_file, help='config file')
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
    add_verbose(parser)
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='write nothing: try a few steps of every stage, its data, schedule, evaluation and disk, list what fails '
        '(exit status 1), and estimate the hours',
    )
    add_launcher(parser)
    add_cfg_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Run the training."""
    leave_after_user_error()
    parser = make_parser(prog)
    args = parser.parse_args(argv)
    check_config(parser, args.config)
    need_hosts('mmengine', 'mmcv')
    set_local_rank(args.local_rank)
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.apis.training.train import train
    from mmfct.utils.launch import is_restarted, leave_ranks

    values = {key: value for key, value in vars(args).items() if key in TrainingOptions.__dataclass_fields__}
    if is_restarted() and args.resume is None:
        values['resume'] = 'auto'
    if args.dry_run:
        with user_errors(of_others=False), resumable('nothing was written'):
            _try(args.config, TrainingOptions(**values), with_prerequisites=not args.no_prerequisites)
    with user_errors(of_others=False), resumable('run the same command with `--resume` and it continues'):
        train(args.config, TrainingOptions(**values), with_prerequisites=not args.no_prerequisites)
    leave_ranks()


def _try(config: str, options: TrainingOptions, *, with_prerequisites: bool) -> NoReturn:
    """Try a training instead of running it; exit with status 1 if something fails."""
    from mmengine.dist import is_main_process

    from mmfct.apis.training.dry_run import dry_run, dry_run_report
    from mmfct.utils.launch import leave_ranks

    stages = dry_run(config, options, with_prerequisites=with_prerequisites)
    if is_main_process():
        print(dry_run_report(stages))
    status = int(any(stage.failures for stage in stages))
    leave_ranks(status)
    sys.exit(status)
