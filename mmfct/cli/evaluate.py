r"""Score queries against galleries of old, upgraded and new models; with --gate, decide whether a switch is safe.

With labels the scores are CMC and mAP. Without, or beside them, queries and a gallery named new (or a sample of it)
show how many of the new model's own nearest neighbours the other searches find. A switch is safe only if no score of
the gate falls: a gain in one does not make up for a loss in another.

Exit status: 0 on success, 1 if --gate finds that the switch is not safe, 2 for bad input.

Example:
    mmfct evaluate --query old=queries_old new=queries_new \
        --gallery old=gallery_old upgraded=gallery_upgraded --out work_dirs/switch --gate
    mmfct evaluate --query old=q_old.npy new=q_new.npy \
        --gallery old=lancedb:db/items upgraded=gallery_upgraded --model old=encoder-v1 new=encoder-v2 \
        --distance cosine --out work_dirs/switch --gate
    mmfct evaluate --query old=queries_old new=queries_new \
        --gallery old=gallery_old upgraded=gallery_upgraded new=sample_new --out work_dirs/switch \
        --gate --max-lost 0.05
    mmfct evaluate --query old=queries_old new=queries_new \
        --gallery old=gallery_old upgraded=gallery_upgraded --adapter adapter.safetensors --out work_dirs/switch
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from mmfct.cli._arguments import (
    add_groups,
    add_skip_missing,
    add_vector_columns,
    command_parser,
    need_hosts,
)
from mmfct.utils.distances import DISTANCES
from mmfct.utils.user_errors import user_errors


def make_parser(prog: str | None = None) -> argparse.ArgumentParser:
    """Make the parser of the command line."""
    parser = command_parser(__doc__, 'evaluate', prog)
    for name, text in (
        ('query', 'embedding sets by name, with labels or without: old, new ...'),
        ('gallery', 'galleries by name: old, upgraded, new ...'),
    ):
        parser.add_argument(f'--{name}', nargs='+', action='extend', required=True, metavar='NAME=SOURCE', help=text)
    parser.add_argument('--out', required=True, help='folder for tables and figures')
    parser.add_argument(
        '--also',
        nargs='+',
        default=[],
        metavar='QUERY/GALLERY',
        help='pairs to score even though their models or distances differ',
    )
    parser.add_argument('--gate', action='store_true', help='decide whether --candidate is as good as --baseline')
    parser.add_argument(
        '--metric',
        nargs='+',
        choices=['cmc1', 'cmc5', 'map', 'recall1', 'recall10'],
        default=[],
        help='scores that must not fall (default: cmc1 and map with labels, else recall1 and recall10, agreement with '
        'the new model)',
    )
    parser.add_argument(
        '--baseline', default='old/old', metavar='QUERY/GALLERY', help='system in use today (default: old/old)'
    )
    parser.add_argument(
        '--candidate',
        default='new/upgraded',
        metavar='QUERY/GALLERY',
        help='system to switch to (default: new/upgraded)',
    )
    parser.add_argument(
        '--margin',
        type=float,
        default=0.0,
        help='tolerated loss of each mean score, as a fraction: 0.01 is one point (default: 0)',
    )
    parser.add_argument(
        '--max-lost',
        type=float,
        help='largest share of the queries that may lose their first hit, as a fraction (default: no limit; cmc1 '
        'judges losses and gains together)',
    )
    parser.add_argument(
        '--confidence', type=float, default=0.95, help='confidence level of the interval (default: 0.95)'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the bootstrap (default: 0)')
    parser.add_argument(
        '--adapter',
        help='transform file of `mmfct learn --direction query`: adds a row adapted new/old, what queries '
        'of the new model find in a gallery that is not upgraded',
    )
    add_groups(parser)
    parser.add_argument(
        '--model',
        nargs='+',
        action='extend',
        default=[],
        metavar='NAME=MODEL',
        help='models of sets of other programs (Parquet, X.npy, lancedb:FOLDER/TABLE, qdrant:...), by the names of '
        'the sets: old=encoder-v1 new=encoder-v2',
    )
    parser.add_argument(
        '--distance', choices=DISTANCES, help='distance of sets of other programs whose store does not say it'
    )
    add_vector_columns(parser, of_sets=True)
    add_skip_missing(parser)
    return parser


def main(argv: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Evaluate, and return the exit status."""
    args = make_parser(prog).parse_args(argv)
    need_hosts('mmengine')
    from mmfct.apis.evaluate_compatibility import (
        GALLERY,
        QUERY,
        GateRule,
        column_of,
        evaluate_compatibility,
        named_columns,
        named_folders,
    )
    from mmfct.retrieval.stores.columns import VectorColumns
    from mmfct.retrieval.stores.options import SourceOptions

    with user_errors():
        names = ('baseline', 'candidate', 'margin', 'max_lost', 'confidence', 'seed')
        rule = {name: getattr(args, name) for name in names}
        gate = GateRule(args.metric, **rule) if args.gate else None
        query, gallery = named_folders(args.query), named_folders(args.gallery)
        models, known = named_folders(args.model), {**query, **gallery}
        columns = {
            part: named_columns(getattr(args, f'{part}_column'), known) for part in ('vector', 'id', 'label', 'side')
        }
        sets = [(QUERY, name) for name in query] + [(GALLERY, name) for name in gallery]
        shared = dict(distance=args.distance, skip_missing=args.skip_missing)
        sources = {name: SourceOptions(model=model, **shared) for name, model in models.items()}
        sources |= {
            f'{kind}:{name}': SourceOptions(
                VectorColumns(**{part: column_of(words, kind, name) for part, words in columns.items()}),
                model=models.get(name),
                **shared,
            )
            for kind, name in sets
        }
        options = dict(also=args.also, groups=args.groups, exclude=args.exclude, options=sources, adapter=args.adapter)
        evaluation = evaluate_compatibility(query, gallery, args.out, gate=gate, **options)
    return 0 if evaluation.gate is None or evaluation.gate.safe else 1
