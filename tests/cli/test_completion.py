"""Scripts for completion, run by the shells that there are."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from mmfct.cli import COMMANDS, main
from mmfct.cli._completion import completion_script

CASES = [
    (['pl'], {'plan-backfill', 'plan-sample'}),
    ([''], {*COMMANDS, '--help', '-h', '--version', '--completion'}),
    (['--completion', ''], {'bash', 'zsh'}),
    (['upgrade', '--dtype', ''], {'float32', 'float16', 'bfloat16'}),
    (['upgrade', 'a', 'b', '--ro'], {'--rollback'}),
    (['plan-sample', '--have'], {'--have', '--have-column'}),
    (['search', 'gal'], set()),
]


def ids(case: object) -> str:
    return ' '.join(case) if isinstance(case, list) else ''


@pytest.mark.parametrize(('words', 'found'), CASES, ids=ids)
def test_bash(words, found, tmp_path):
    script = completion_script('bash') + f'COMP_WORDS=(mmfct "$@"); COMP_CWORD={len(words)}\n'
    done = run('bash', script + '_mmfct; printf "%s\\n" "${COMPREPLY[@]}"', words, tmp_path)
    assert set(filter(None, done.splitlines())) == found


# What zsh's own functions would do with the words: those that begin as the current one.
ZSH = r"""
compdef() { :; }
_files() { :; }
_describe() { for word in "${(@P)2}"; do print -r -- "${word%%:*}"; done; }
compadd() { shift; print -rl -- "$@"; }
"""


@pytest.mark.parametrize(('words', 'found'), CASES, ids=ids)
@pytest.mark.skipif(not shutil.which('zsh'), reason='zsh is not installed')
def test_zsh(words, found, tmp_path):
    script = (
        ZSH + completion_script('zsh') + f'words=(mmfct "$@"); CURRENT={len(words) + 1}; PREFIX="$words[CURRENT]"\n'
    )
    offered = run('zsh', script + 'PREFIX=$words[CURRENT]; _mmfct', words, tmp_path).splitlines()
    assert {word for word in offered if word.startswith(words[-1])} == found


def run(shell: str, script: str, words: list[str], folder) -> str:
    """Run a script and return what it prints; it says nothing on the error output."""
    (folder / 'script').write_text(script)
    done = subprocess.run([shell, str(folder / 'script'), *words], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout


def test_the_command_prints_it(capsys):
    assert main(['--completion', 'zsh']) == 0
    assert capsys.readouterr().out == completion_script('zsh')


def test_another_shell():
    with pytest.raises(ValueError, match="must be 'bash' or 'zsh', got 'fish'"):
        completion_script('fish')
