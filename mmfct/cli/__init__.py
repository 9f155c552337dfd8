"""The command `mmfct`: one module per command, whose ``main(argv, prog)`` the scripts of ``tools/`` call too.

``argv`` are the words after the command (default: those of the process), ``prog`` how it was called. What a command
needs is imported once its command line was read, so that a help text costs nothing.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
from collections.abc import Sequence

from mmfct import __version__

# By job: the commands of a group, and what each of them does. The module of a command has its name.
GROUPS = {
    'Training': {
        'train': 'train a config, after the trainings that it needs',
        'test': 'test a checkpoint and write the report',
        'compare': 'compare ways to upgrade a gallery',
        'export': 'write a trained transformation as a transform file',
        'export-torchscript': 'write a trained model as TorchScript',
    },
    'Retrieval': {
        'extract': 'make a gallery: embed images',
        'merge': 'merge the parts of a gallery that independent jobs have made',
        'upgrade': 'upgrade a gallery to a new model, without reading an image',
        'evaluate': 'score old and upgraded galleries; decide whether a switch is safe',
        'search': 'find nearest neighbours',
        'index': 'build a FAISS index',
        'extend': 'append, replace or remove items of a gallery',
        'plan-backfill': 'rank the items to embed again first',
        'mix': 'put embeddings that were recomputed into an upgraded gallery',
    },
    'Stored vectors, without images': {
        'plan-sample': 'choose the items to embed with the new model',
        'learn': 'learn a transformation from old vectors and a sample of new ones',
        'correct': 'put the correction of plan-backfill into a transform file',
        'convert': 'convert between galleries, Parquet and vector databases',
        'convert-transform': 'write a transform file as ONNX or TorchScript',
    },
    'Wrong labels': {
        'suspects': 'rank the training labels by how suspicious they are',
    },
}
COMMANDS = {name: text for group in GROUPS.values() for name, text in group.items()}


def command_module(name: str) -> str:
    """Return the module of a command."""
    return f'mmfct.cli.{name.replace("-", "_")}'


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of `mmfct` without a command."""
    width = max(map(len, COMMANDS))
    lines = []
    for title, commands in GROUPS.items():
        lines += [f'{title}:', *(f'  {name:<{width}}  {text}' for name, text in commands.items()), '']
    parser = argparse.ArgumentParser(
        'mmfct',
        usage='mmfct COMMAND ...',
        description='Upgrade image galleries to new models, and find wrong labels.\n\n' + '\n'.join(lines),
        epilog='`mmfct COMMAND --help` explains a command, with examples.',
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--version', action='version', version=f'mmfct {__version__}')
    parser.add_argument(
        '--completion',
        choices=['bash', 'zsh'],
        help='print a script that completes commands and options: eval "$(mmfct --completion bash)"',
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, and return the exit status.

    Args:
        argv: Words after ``mmfct`` (default: those of this process).
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in COMMANDS:
        name = words[0]
        return importlib.import_module(command_module(name)).main(words[1:], prog=f'mmfct {name}') or 0
    parser = make_parser()
    if words and not words[0].startswith('-'):
        close = difflib.get_close_matches(words[0], COMMANDS, 1)
        hint = f'did you mean {close[0]}?' if close else f'it must be one of {", ".join(COMMANDS)}'
        parser.error(f'there is no command {words[0]!r}: {hint}')
    args = parser.parse_args(words)
    if args.completion:
        from mmfct.cli._completion import completion_script

        print(completion_script(args.completion), end='')
        return 0
    parser.print_help()
    return 0
