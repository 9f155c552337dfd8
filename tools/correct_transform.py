"""Put the correction that tools/plan_backfill.py has found into a transform file; then upgrade with the new file.

Upgraded vectors may be too short, or too near to one another, beside recomputed ones in one gallery. `plan_backfill`
says whether a correction helps, and writes it to `correction.npz` in its report folder.

Example:
    python tools/correct_transform.py h.safetensors work_dirs/backfill/correction.npz h_corrected.safetensors
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('transform', help='transform file')
    parser.add_argument('correction', help='correction.npz of plan_backfill.py')
    parser.add_argument('out', help='transform file to write')
    return parser.parse_args()


def main() -> None:
    """Correct the transform file."""
    require_hosts('mmengine')
    args = parse_args()
    from mmfct.apis.correct_transform import correct_transform
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        correct_transform(args.transform, args.correction, args.out)


if __name__ == '__main__':
    main()
