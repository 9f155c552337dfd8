"""Write a transform file as ONNX or TorchScript, for programs that run these.

The inputs are `old` (N, D) and, if the transformation uses side-information, `side` (N, S); the output is `upgraded`
(N, D'). What is written is compared with the transform file. Models, distance and fingerprint are its metadata.

Example:
    python tools/convert_transform.py h.safetensors h.onnx
    python tools/convert_transform.py h.safetensors h.pt
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('transform', help='transform file')
    parser.add_argument('out', help='file to write: .onnx for ONNX, .pt for TorchScript')
    return parser.parse_args()


def main() -> None:
    """Convert the transform file."""
    require_hosts('mmengine')
    args = parse_args()
    from mmfct.apis.convert_transform import convert_transform
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        convert_transform(args.transform, args.out)


if __name__ == '__main__':
    main()
