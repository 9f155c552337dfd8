"""Scripts by which a shell completes the commands of `mmfct`, their options, and the values that these may have."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Iterator

from mmfct.cli import COMMANDS, command_module, make_parser

_BASH = """\
# Completion of mmfct for bash: eval "$(mmfct --completion bash)"
_mmfct() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} words=
    if ((COMP_CWORD == 1)); then
        words='{commands}'
    else
        case "${{COMP_WORDS[1]}} $prev" in
{values}
        esac
        if [[ -z $words && $cur == -* ]]; then
            case "${{COMP_WORDS[1]}}" in
{options}
            esac
        fi
    fi
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
}}
complete -o default -F _mmfct mmfct
"""
_ZSH = """\
#compdef mmfct
# Completion of mmfct for zsh, after compinit: eval "$(mmfct --completion zsh)"
_mmfct() {{
    local -a found
    if ((CURRENT == 2)); then
        found=({commands})
        _describe command found
        return
    fi
    case "${{words[2]}} ${{words[CURRENT - 1]}}" in
{values}
    esac
    if [[ $PREFIX == -* ]]; then
        case "${{words[2]}}" in
{options}
        esac
        _describe option found
    else
        _files
    fi
}}
compdef _mmfct mmfct
"""


def completion_script(shell: str) -> str:
    """Return the script for a shell.

    Args:
        shell: ``'bash'`` or ``'zsh'``.

    Raises:
        ValueError: For any other.
    """
    if shell not in ('bash', 'zsh'):
        raise ValueError(f"`shell` must be 'bash' or 'zsh', got {shell!r}")
    parsers = {name: importlib.import_module(command_module(name)).make_parser(f'mmfct {name}') for name in COMMANDS}
    values = [
        (f"'{name} {option}'", [str(choice) for choice in action.choices or ()])
        for name, parser in {'--completion': make_parser(), **parsers}.items()
        for action in _options(parser)
        for option in action.option_strings
        if action.choices
    ]
    own = [option for action in _options(make_parser()) for option in action.option_strings]
    if shell == 'bash':
        options = [f'{name}) words={_quoted(" ".join(_names(parser)))} ;;' for name, parser in parsers.items()]
        lines = [f'{where}) words={_quoted(" ".join(choices))} ;;' for where, choices in values]
        return _BASH.format(
            commands=' '.join([*COMMANDS, *own]), values=_indented(lines, 12), options=_indented(options, 16)
        )
    options = [f'{name}) found=({" ".join(_described(parser))}) ;;' for name, parser in parsers.items()]
    lines = [f'{where}) compadd -- {" ".join(map(_quoted, choices))}; return ;;' for where, choices in values]
    commands = [_quoted(f'{name}:{text}') for name, text in COMMANDS.items()] + own
    return _ZSH.format(commands=' '.join(commands), values=_indented(lines, 8), options=_indented(options, 12))


def _options(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the options that the help shows."""
    for action in parser._actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            yield action


def _names(parser: argparse.ArgumentParser) -> list[str]:
    return [option for action in _options(parser) for option in action.option_strings if option.startswith('--')]


def _described(parser: argparse.ArgumentParser) -> list[str]:
    """Return quoted words ``--option:help``; a colon separates them, so that of a name would need a backslash."""
    return [
        _quoted(f'{option}:{(action.help or "").replace("%%", "%")}')
        for action in _options(parser)
        for option in action.option_strings
        if option.startswith('--')
    ]


def _quoted(text: str) -> str:
    """Quote a word for either shell."""
    return "'" + text.replace("'", "'\\''") + "'"


def _indented(lines: list[str], width: int) -> str:
    return '\n'.join(' ' * width + line for line in lines)
