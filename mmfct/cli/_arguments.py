"""Command-line arguments shared by several commands."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmfct.configs import find_config
from mmfct.hosts import require_hosts
from mmfct.utils.distances import DISTANCES
from mmfct.utils.user_errors import user_errors

if TYPE_CHECKING:
    from mmfct.retrieval.stores.columns import VectorColumns
    from mmfct.retrieval.stores.options import SourceOptions


def command_parser(doc: str | None, command: str, prog: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help is the documentation of a command's module.

    Args:
        doc: The documentation. Its examples call ``mmfct COMMAND``.
        command: Name of the command.
        prog: How it was called, ``mmfct COMMAND``; ``None`` for a script of ``tools/``, whose examples then say that.
    """
    if prog is None:
        doc = re.sub(rf'(?m)^    mmfct {command} ', f'    python tools/{Path(sys.argv[0]).name} ', doc or '')
    return argparse.ArgumentParser(prog, description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def need_hosts(*names: str) -> None:
    """End the program with one line unless these hosts can be used; see `mmfct.hosts.require_hosts`."""
    with user_errors():
        require_hosts(*names)


def config_file(text: str) -> str:
    """Return a config file: the one at ``text``, or else that of mmfct of this name, which is said.

    Where there is neither, return ``text``, which the command then refuses.
    """
    ours = None if os.path.exists(text) else find_config(text)
    if ours is None:
        return text
    if os.environ.get('RANK', '0') == '0':
        print(f'{text} is no file here: using {ours}', file=sys.stderr)
    return str(ours)


def check_config(parser: argparse.ArgumentParser, config: str) -> None:
    """End the program with the usage unless the config is a file."""
    if not os.path.isfile(config):
        parser.error(f'there is no config {config!r}, neither here nor among those of mmfct')


class _CfgOptions(argparse.Action):
    """Leave ``KEY=VALUE`` words to the action of the trainings, which imports mmengine: ``--help`` does without."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        need_hosts('mmengine')
        from mmfct.apis.training.config import DictAction

        DictAction(self.option_strings, self.dest)(parser, namespace, values, option_string)


def add_cfg_options(parser: argparse.ArgumentParser, text: str = 'variables or dotted entries of the config') -> None:
    """Add ``--cfg-options KEY=VALUE ...``.

    Args:
        parser: The parser of the command.
        text: Help text.
    """
    parser.add_argument('--cfg-options', nargs='+', default={}, action=_CfgOptions, metavar='KEY=VALUE', help=text)


def add_device(parser: argparse.ArgumentParser) -> None:
    """Add ``--device``."""
    parser.add_argument(
        '--device',
        type=_device,
        help="torch device, such as 'cpu' or 'cuda:1' (default: the accelerator, if there is one)",
    )


def _device(text: str) -> str:
    """Check that torch knows a device and that this machine has it."""
    import torch

    try:
        torch.empty(0, device=text)
    except Exception as error:  # an AssertionError, a RuntimeError or others, depending on the build of torch
        reason = str(error).splitlines()[0]
        raise argparse.ArgumentTypeError(
            f'{text!r} cannot be used here: {reason}; leave --device out to use what there is'
        ) from error
    return text


def add_groups(parser: argparse.ArgumentParser) -> None:
    """Add ``--groups`` and ``--exclude``, for retrieval across groups."""
    parser.add_argument(
        '--groups',
        help=r"retrieval across groups, such as cameras: a column, or a regular expression on ids: '_c(\d+)'",
    )
    parser.add_argument(
        '--exclude',
        choices=['matches', 'all'],
        default='matches',
        help="with --groups, leave out the items of a query's label and group, or all of its group (default: matches)",
    )


def add_launcher(parser: argparse.ArgumentParser) -> None:
    """Add ``--launcher``, and ``--local_rank`` for launchers that pass it."""
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='what started the processes (default: none, for a single process)',
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS)


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Add ``--verbose``."""
    parser.add_argument(
        '--verbose', action='store_true', help='show everything that is logged, not only progress and warnings'
    )


def set_local_rank(local_rank: int) -> None:
    """Put the value of ``--local_rank`` into the environment, unless the launcher has set it there."""
    os.environ.setdefault('LOCAL_RANK', str(local_rank))


def add_vector_columns(parser: argparse.ArgumentParser, *, of_sets: bool = False) -> None:
    """Add ``--vector-column``, ``--id-column``, ``--label-column`` and ``--side-column``.

    Args:
        parser: The parser of the command.
        of_sets: Whether sets have names, and each may have columns of its own.
    """
    text = (
        'Names in Parquet, a CSV file beside a .npy, LanceDB, or the payload of Qdrant; by default found by usual '
        'names, and said.'
    )
    words: dict[str, Any] = dict(metavar='NAME')
    if of_sets:
        text += ' SET is old, new ..., or query:old, gallery:old ...; without, for all sets.'
        words = dict(metavar='[SET=]NAME', nargs='+', action='extend', default=[])
    group = parser.add_argument_group('columns of other programs', text)
    group.add_argument('--vector-column', **words, help='vectors; of Qdrant, the named vector')
    group.add_argument('--id-column', **words, help='ids, texts or integers (default of Qdrant: ids of points)')
    group.add_argument('--label-column', **words, help="labels, texts or integers; '' for none")
    group.add_argument('--side-column', **words, help="side-information; '' for none")


def add_skip_missing(
    parser: argparse._ActionsContainer, text: str = 'leave out rows without a vector, and say how many'
) -> None:
    """Add ``--skip-missing``.

    Args:
        parser: The parser of the command.
        text: Help text.
    """
    parser.add_argument('--skip-missing', action='store_true', help=f'{text} (default: refuse them)')


def vector_columns(args: argparse.Namespace) -> VectorColumns:
    """Return what was given for `add_vector_columns`."""
    from mmfct.retrieval.stores.columns import VectorColumns

    return VectorColumns(args.vector_column, args.id_column, args.label_column, args.side_column)


def add_source_model(parser: argparse.ArgumentParser) -> None:
    """Add ``--model``, ``--side-model`` and their fingerprints."""
    group = parser.add_argument_group(
        'models of vectors of other programs',
        'Any name, always the same; the fingerprint of its weights (manifest.json of a gallery, or a transform file, '
        'has it) only where the transform was trained with the model itself.',
    )
    group.add_argument('--model', metavar='NAME', help='model that made the vectors')
    group.add_argument('--fingerprint', metavar='SHA256', help='fingerprint of its weights')
    group.add_argument('--side-model', metavar='NAME', help='model that made the side-information')
    group.add_argument('--side-fingerprint', metavar='SHA256', help='fingerprint of its weights')


def add_source_options(
    parser: argparse.ArgumentParser,
    distance: str = 'distance between vectors of another program whose store does not say it',
) -> None:
    """Add what `source_options` reads: models, ``--distance``, columns and ``--skip-missing``.

    Args:
        parser: The parser of the command.
        distance: Help text of ``--distance``.
    """
    add_source_model(parser)
    parser.add_argument('--distance', choices=DISTANCES, help=distance)
    add_vector_columns(parser)
    add_skip_missing(parser)


def source_options(args: argparse.Namespace) -> SourceOptions:
    """Return what was given for `add_source_options`, and for ``--side`` where a command has it."""
    from mmfct.retrieval.stores.options import SourceOptions

    names = ('model', 'fingerprint', 'side_model', 'side_fingerprint', 'distance')
    given = {name: getattr(args, name) for name in names}
    side, skip_missing = getattr(args, 'side', None), getattr(args, 'skip_missing', False)
    return SourceOptions(vector_columns(args), side=side, skip_missing=skip_missing, **given)
