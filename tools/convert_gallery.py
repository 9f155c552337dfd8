"""Convert a gallery to Parquet, or Parquet to a gallery.

Example:
    python tools/convert_gallery.py gallery gallery.parquet
    python tools/convert_gallery.py gallery.parquet gallery_again
    python tools/convert_gallery.py edited.parquet gallery_again --accept-changes
    python tools/convert_gallery.py foreign.parquet gallery --model encoder-v1 --fingerprint 64_HEXADECIMAL_DIGITS
"""

from __future__ import annotations

import argparse

from mmfct.hosts import require_hosts
from mmfct.utils.distances import DISTANCES


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        'source', help='folder of a gallery; or a Parquet file, or a folder of Parquet files, nested or not'
    )
    parser.add_argument(
        'out', help='NAME.parquet, or a folder for one Parquet file per shard; or a folder for a gallery'
    )
    foreign = parser.add_argument_group('Parquet from other programs')
    foreign.add_argument('--model', help='name of the model that made the embeddings')
    foreign.add_argument(
        '--fingerprint', help='fingerprint of its weights, as in the manifest.json of a gallery that it made'
    )
    foreign.add_argument('--side-model', help='name of the model that made the column side_info')
    foreign.add_argument('--side-fingerprint', help='fingerprint of the weights of that model')
    foreign.add_argument(
        '--distance', choices=DISTANCES, default='l2', help='distance between its embeddings (default: l2)'
    )
    foreign.add_argument(
        '--shard-rows', type=int, default=16384, help='rows per shard of the gallery (default: 16384)'
    )
    parser.add_argument(
        '--accept-changes',
        action='store_true',
        help='make a gallery of Parquet whose rows another program has removed, added or changed since it was written '
        'from a gallery; models and distance stay those of that gallery',
    )
    return parser.parse_args()


def main() -> None:
    """Convert."""
    require_hosts('mmengine')
    args = parse_args()
    from mmfct.apis.convert_gallery import convert_gallery
    from mmfct.utils.user_errors import user_errors

    with user_errors():
        convert_gallery(**vars(args))


if __name__ == '__main__':
    main()
