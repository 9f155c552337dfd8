"""Export a trained transform h as one file that upgrades galleries: weights, widths, and which models it is for.

Example:
    python tools/export_transform.py configs/fct/resnet10_digits.py work_dirs/resnet10_digits/final.pth h.safetensors
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    from mmengine.config import DictAction

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config file of the transform')
    parser.add_argument('checkpoint', help='a checkpoint of it')
    parser.add_argument('out', help='file to write, .safetensors')
    parser.add_argument(
        '--cfg-options', nargs='+', default={}, action=DictAction, help='KEY=VALUE: those that the training had'
    )
    return parser.parse_args()


def main() -> None:
    """Export."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from mmfct.apis.export_transform import export_transform

    transform = export_transform(args.config, args.checkpoint, args.out, cfg_options=args.cfg_options)
    print(f'{args.out}: {transform.name}, {transform.old} to {transform.new}, side-information of {transform.side}')


if __name__ == '__main__':
    main()
