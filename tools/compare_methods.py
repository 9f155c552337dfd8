"""Compare ways to upgrade a gallery: linear maps, FCT, FastFill, lambda-Orthogonality and backward-compatible models.

The old, side and new models and the tables of embeddings are made first if they are missing; finished trainings are
reused.

Example:
    python tools/compare_methods.py configs/fct/resnet10_digits.py
    python tools/compare_methods.py configs/fct/resnet10_omniglot.py --methods fct fct+side --cfg-options setting=tenth
"""

from __future__ import annotations

import argparse

from _arguments import add_cfg_options

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of a transformation that trains from cached embeddings')
    parser.add_argument('--work-dir', help="work directory (default: the config's); results go to WORK_DIR/methods")
    parser.add_argument(
        '--methods',
        nargs='+',
        help='identity, procrustes, ridge, fct, fastfill, lambda-orthogonality; NAME+side adds side-information to '
        'any but the first two (default: all)',
    )
    parser.add_argument(
        '--aligned',
        nargs='+',
        default=[],
        metavar='NAME=CHECKPOINT',
        help='new models trained to be backward compatible',
    )
    add_cfg_options(parser)
    args = parser.parse_args()
    if any('=' not in entry for entry in args.aligned):
        parser.error(f'`--aligned` takes NAME=CHECKPOINT, got {" ".join(args.aligned)}')
    return args


def main() -> None:
    """Run the comparison."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from mmfct.apis.compare_methods import compare_methods
    from mmfct.apis.training.options import TrainingOptions
    from mmfct.utils.user_errors import user_errors

    options = TrainingOptions(work_dir=args.work_dir, cfg_options=args.cfg_options)
    aligned = dict(entry.split('=', 1) for entry in args.aligned)
    with user_errors():
        compare_methods(args.config, methods=args.methods, aligned=aligned, options=options)


if __name__ == '__main__':
    main()
