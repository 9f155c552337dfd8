"""Compare ways to upgrade a gallery: linear maps, FCT, FastFill, lambda-Orthogonality and backward-compatible models.

The old, side and new models and the tables of embeddings are made first if they are missing; finished trainings are
reused.

Example:
    mmfct compare configs/fct/resnet10_digits.py
    mmfct compare configs/fct/resnet10_omniglot.py --methods fct fct+side --cfg-options setting=tenth
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import add_cfg_options, command_parser, config_file, need_hosts
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'compare', prog)
    parser.add_argument(
        'config', type=config_file, help='config of a transformation that trains from cached embeddings'
    )
    parser.add_argument('--work-dir', help="work directory (default: the config's); results go to WORK_DIR/methods")
    parser.add_argument(
        '--methods',
        nargs='+',
        help='identity, procrustes, ridge, learned (what `mmfct learn` chooses by held-out images), fct, fastfill, '
        'lambda-orthogonality; NAME+side adds side-information to any but the first two (default: all)',
    )
    parser.add_argument(
        '--aligned',
        nargs='+',
        default=[],
        metavar='NAME=CHECKPOINT',
        help='new models trained to be backward compatible',
    )
    add_cfg_options(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Run the comparison."""
    parser = make_parser(prog)
    args = parser.parse_args(argv)
    if any('=' not in entry for entry in args.aligned):
        parser.error(f'`--aligned` takes NAME=CHECKPOINT, got {" ".join(args.aligned)}')
    need_hosts('mmengine', 'mmcv')
    from mmfct.apis.compare_methods import compare_methods
    from mmfct.apis.training.options import TrainingOptions

    options = TrainingOptions(work_dir=args.work_dir, cfg_options=args.cfg_options)
    aligned = dict(entry.split('=', 1) for entry in args.aligned)
    with user_errors():
        compare_methods(args.config, methods=args.methods, aligned=aligned, options=options)
