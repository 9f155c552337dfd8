"""The command `mmfct`: what it lists, and what it hands over to which module."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mmfct import __version__
from mmfct.cli import COMMANDS, GROUPS, command_module, main

ROOT = Path(__file__).parents[2]
MODULES = {path.stem for path in (ROOT / 'mmfct/cli').glob('[!_]*.py')}
SHELLS = [path for path in sorted((ROOT / 'tools').glob('*.py')) if 'from mmfct.cli.' in path.read_text()]
# Code and pages, whose messages and text name commands.
PAGES = [
    path for name in ('mmfct', 'docs', 'configs') for path in (ROOT / name).rglob('*') if path.suffix in ('.py', '.md')
]


def test_every_module_is_a_command():
    assert {command_module(name).rpartition('.')[2] for name in COMMANDS} == MODULES
    assert sum(len(group) for group in GROUPS.values()) == len(COMMANDS)


@pytest.mark.parametrize('path', SHELLS, ids=lambda path: path.stem)
def test_a_tool_is_the_command_that_it_says(path):
    text = path.read_text()
    command = re.search('This is the command `mmfct (.*?)`', text)[1]
    assert re.search(r'^from (\S+) import main$', text, re.MULTILINE)[1] == command_module(command)


def test_every_command_has_its_tool():
    said = {re.search('`mmfct (.*?)`; `--help`', path.read_text())[1] for path in SHELLS}
    assert said == set(COMMANDS)


def test_code_and_pages_name_the_command_and_not_its_script():
    """Who installed the wheel has no folder ``tools/``."""
    scripts = re.compile(rf'(?<!/)(?<!mmpretrain\'s `)\btools/(?:{"|".join(path.stem for path in SHELLS)})\.py')
    found = {
        path.relative_to(ROOT).as_posix(): scripts.findall(path.read_text()) for path in [ROOT / 'README.md', *PAGES]
    }
    both = ('README.md', 'docs/install.md')  # say that they are the same
    assert {path: names for path, names in found.items() if names} == dict.fromkeys(both, ['tools/train.py'])


def test_commands_that_are_named_exist():
    named = {name for path in PAGES for name in re.findall(r'`mmfct ([a-z][\w-]*)', path.read_text())}
    assert named <= COMMANDS.keys()


@pytest.mark.parametrize('words', [[], ['--help'], ['-h']])
def test_the_help_has_all_commands_by_job(words, capsys):
    try:
        assert main(words) == 0
    except SystemExit as status:
        assert status.code == 0
    output = capsys.readouterr().out
    assert [line for line in output.splitlines() if line in {f'{title}:' for title in GROUPS}] == [
        f'{title}:' for title in GROUPS
    ]
    for name, text in COMMANDS.items():
        assert re.search(rf'^  {name} +{re.escape(text)}$', output, re.MULTILINE)


def test_the_version(capsys):
    with pytest.raises(SystemExit, match='0'):
        main(['--version'])
    assert capsys.readouterr().out == f'mmfct {__version__}\n'


@pytest.mark.parametrize('name', COMMANDS)
def test_the_help_of_a_command_shows_how_to_call_it(name, capsys):
    with pytest.raises(SystemExit, match='0'):
        main([name, '--help'])
    output = capsys.readouterr().out
    assert output.startswith(f'usage: mmfct {name} [')
    assert f'Example:\n    mmfct {name} ' in output and 'python tools/' not in output


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['trian', 'config.py'], "there is no command 'trian': did you mean train?"),
        (['zzz'], "there is no command 'zzz': it must be one of train, test, "),
        (['--zzz'], 'unrecognized arguments: --zzz'),
        (['--completion', 'fish'], "invalid choice: 'fish'"),
    ],
)
def test_what_is_no_command(words, message, capsys):
    with pytest.raises(SystemExit, match='2'):
        main(words)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(('returned', 'status'), [(None, 0), (1, 1)])
def test_words_go_to_the_command_and_its_status_comes_back(returned, status, monkeypatch):
    calls = []
    module = importlib.import_module('mmfct.cli.plan_backfill')
    monkeypatch.setattr(module, 'main', lambda argv, prog: calls.append((argv, prog)) or returned)
    assert main(['plan-backfill', 'a', '--new', '--help']) == status
    assert calls == [(['a', '--new', '--help'], 'mmfct plan-backfill')]


def test_the_words_of_the_process(monkeypatch):
    calls = []
    monkeypatch.setattr('mmfct.cli.mix.main', lambda argv, prog: calls.append(argv))
    monkeypatch.setattr('sys.argv', ['mmfct', 'mix', 'a', 'b', 'c'])
    assert main() == 0
    assert calls == [['a', 'b', 'c']]


def test_as_a_module():
    done = subprocess.run([sys.executable, '-m', 'mmfct.cli', 'mix'], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and 'usage: mmfct mix' in done.stderr


def test_methods_of_plan_sample_are_those_of_the_function():
    from mmfct.apis.plan_sample import METHODS
    from mmfct.cli import plan_sample

    assert plan_sample.METHODS == METHODS


def test_missing_hosts_are_one_line(monkeypatch, capsys):
    def missing(*names):
        raise ImportError(f'mmfct needs {names}')

    monkeypatch.setattr('mmfct.cli._arguments.require_hosts', missing)
    for words in (['mix', 'a', 'b', 'c'], ['export', 'a', 'b', 'c', '--cfg-options', 'a=1']):
        with pytest.raises(SystemExit, match='2'):
            main(words)
        assert capsys.readouterr().err == "error: mmfct needs ('mmengine',)\n"
