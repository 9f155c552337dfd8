r"""Learn a transformation from stored embeddings: OLD vectors, and NEW vectors of a sample of the same items.

OLD, NEW and SIDE are galleries, Parquet, `.npy` with ids beside it, `lancedb:FOLDER/TABLE` or
`qdrant:URL_OR_FOLDER/COLLECTION`, joined by id. No image and no model is needed, only their names. Candidates from a
rotation to the network of the paper are compared on held-out pairs; the report says which one was taken and why.

Example:
    mmfct learn old.parquet new_sample.parquet --out h.safetensors
    mmfct learn qdrant:http://localhost:6333/items new.npy --side side.npy --out h.safetensors \
        --old-model text-embedding-ada-002 --new-model text-embedding-3-small --distance cosine
    mmfct learn lancedb:db/items#v1 lancedb:db/items#v2 --out h.safetensors
    mmfct learn items.parquet items.parquet --vector-column old --new-vector-column new \
        --out h.safetensors
    mmfct learn old.parquet new_sample.parquet --direction query --out adapter.safetensors
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import (
    add_skip_missing,
    add_vector_columns,
    command_parser,
    config_file,
    need_hosts,
    vector_columns,
)
from mmfct.utils.distances import DISTANCES
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'learn', prog)
    parser.add_argument('old', help='embeddings of the old model')
    parser.add_argument(
        'new', help='embeddings of the new model, of at least 100 of the items; 500 and more are better'
    )
    parser.add_argument('--out', required=True, help='transform file to write, by convention .safetensors')
    parser.add_argument(
        '--side', help='side-information that is stored apart (default: the side-information that OLD has, if any)'
    )
    for role, text in (('old', 'OLD'), ('new', 'NEW'), ('side', 'SIDE')):
        parser.add_argument(f'--{role}-model', help=f'name of the model that made {text} (default: what {text} says)')
    parser.add_argument(
        '--distance',
        choices=DISTANCES,
        help='distance to compare embeddings by (default: what the stores use, or cosine)',
    )
    parser.add_argument(
        '--method', help='take this candidate instead of the best one: the table of a report names them'
    )
    parser.add_argument(
        '--direction',
        choices=['gallery', 'query'],
        default='gallery',
        help='map old embeddings to the new space, or new queries to the old space (default: gallery)',
    )
    parser.add_argument(
        '--input-normalised',
        action='store_true',
        help='learn for vectors of length 1, as vector databases return them (always so with the cosine distance)',
    )
    parser.add_argument('--max-pairs', type=int, default=50_000, help='of more pairs, draw so many (default: 50000)')
    parser.add_argument('--seed', type=int, help='seed of all that is drawn (default: that of --config, or 0)')
    parser.add_argument(
        '--config',
        type=config_file,
        help='file with `learn = dict(...)`: every knob, as in configs/_base_/stored_vectors.py',
    )
    parser.add_argument('--report', metavar='DIR', help='folder of the report (default: OUT without suffix, _report)')
    parser.add_argument('--new-vector-column', metavar='NAME', help='column of NEW with the vectors (default: found)')
    parser.add_argument('--new-id-column', metavar='NAME', help='column of NEW with the ids (default: --id-column)')
    add_skip_missing(parser, 'leave out rows of OLD without a vector, as those of NEW and SIDE always are')
    add_vector_columns(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> None:
    """Learn and report."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.learn_transform import learn_from_sources

    with user_errors():
        learn_from_sources(
            dict(old=args.old, new=args.new, side=args.side),
            args.out,
            models=dict(old=args.old_model, new=args.new_model, side=args.side_model),
            columns=vector_columns(args),
            new_vector=args.new_vector_column,
            new_id=args.new_id_column,
            skip_missing=args.skip_missing,
            distance=args.distance,
            method=args.method,
            direction=args.direction,
            input_normalised=args.input_normalised,
            max_pairs=args.max_pairs,
            seed=args.seed,
            config=args.config,
            report=args.report,
        )
