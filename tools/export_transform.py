"""Export a trained transformation as a transform file: self-contained, safetensors and JSON, no pickle.

Example:
    python tools/export_transform.py configs/fct/resnet10_digits.py work_dirs/resnet10_digits/final.pth h.safetensors
"""

from __future__ import annotations

import argparse

from _arguments import add_cfg_options

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('config', help='config of the transformation')
    parser.add_argument('checkpoint', help='checkpoint of the transformation')
    parser.add_argument('out', help='transform file to write')
    add_cfg_options(parser, 'options that the training was given')
    return parser.parse_args()


def main() -> None:
    """Export the transformation."""
    require_hosts('mmengine', 'mmcv')
    args = parse_args()
    from mmfct.apis.export_transform import export_transform
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        export_transform(args.config, args.checkpoint, args.out, cfg_options=args.cfg_options)


if __name__ == '__main__':
    main()
