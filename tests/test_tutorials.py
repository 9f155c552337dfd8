"""The tutorials run as they stand: every block of code of a page, in order, in an empty folder.

| block                                  | what it is                                                               |
| -------------------------------------- | ------------------------------------------------------------------------ |
| ```bash                                | commands; after ``<!-- exit status 1 -->`` the last one ends so          |
| ```python                              | a part of one session                                                    |
| ```python title="FILE"                 | the content of a file                                                    |
| ```diff title="FILE"                   | lines of that file that change, between some that do not                 |
| ```text                                | lines that the block before prints; ``...`` stands for what is left out  |
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mmfct.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / 'docs/tutorials').glob('*.md'))
EXTRAS = dict(only_vectors=('pyarrow',), vector_database=('lancedb', 'qdrant_client'))
BLOCK = re.compile(r'^(?:<!-- exit status (\d+) -->\n)?```(\w+)(?: title="(.+?)")?\n(.*?)^```$', re.M | re.S)
LOG = re.compile(r'^\d\d/\d\d \d\d:\d\d:\d\d - mmengine - \w+ - ', re.M)
NUMBER = r'(?<![\w/.#-])[-+]?\d+(?:\.\d+)?(?![\w/])'  # and not a part of a name


def run_command(line: str) -> int:
    """Run a line of a shell and return its exit status; mmfct runs in this process, which has torch imported."""
    words = shlex.split(line, comments=True)
    if words[0] != 'mmfct':
        path = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'
        return subprocess.run(['bash', '-c', line], env=os.environ | dict(PATH=path)).returncode
    try:
        return main(words[1:])
    except SystemExit as status:
        return status.code or 0


def run_commands(block: str, status: int) -> None:
    """Run the commands of a block, which succeed, except that the last one ends with ``status``."""
    lines = [line for line in block.replace('\\\n', ' ').splitlines() if line and not line.startswith('#')]
    for number, line in enumerate(lines, start=1):
        assert run_command(line) == (status if number == len(lines) else 0), line


def apply_diff(file: Path, diff: str) -> None:
    """Replace the lines of a file that begin with ``-`` in the diff by those that begin with ``+``."""
    lines = [(line[:1], line[1:]) for line in diff.splitlines()]
    before, after = (''.join(f'{line}\n' for sign, line in lines if sign != without) for without in '+-')
    text = file.read_text()
    assert text.count(before) == 1, before
    file.write_text(text.replace(before, after))


def plain(text: str) -> list[str]:
    """The lines of an output without what a log begins them with, and with single spaces and short rules."""
    return [' '.join(re.sub('-{3,}', '---', line).split()) for line in LOG.sub('', text).splitlines()]


def same(quoted: str, printed: str) -> bool:
    """Whether a line is the one that a page quotes; numbers depend a little on the processor."""
    parts = [re.escape(part).replace(r'\.\.\.', '.*') for part in re.split(NUMBER, quoted)]
    match = re.fullmatch(r'([-+]?[\d.]+)'.join(parts), printed)
    wanted = [float(number) for number in re.findall(NUMBER, quoted)]
    return match is not None and all(
        float(found) == pytest.approx(number, rel=0.1, abs=8 if abs(number) > 1 else 0.15)
        for number, found in zip(wanted, match.groups(), strict=True)
    )


def check_output(quoted: str, printed: str) -> None:
    """Look for the quoted lines in what was printed, in their order."""
    lines = iter(plain(printed))
    for line in plain(quoted):
        assert line == '...' or any(same(line, other) for other in lines), f'not printed: {line}\n\n{printed}'


@pytest.mark.slow
@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.stem)
def test_a_tutorial_runs(page, tmp_path, monkeypatch, capfd, plain_config_text, undrawn_figures):
    for package in EXTRAS.get(page.stem, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv('LOCAL_RANK', '0')
    session: dict[str, object] = {}
    printed = ''
    for status, language, file, content in BLOCK.findall(page.read_text()):
        if language == 'text':
            check_output(content, printed)
            continue
        if language == 'bash':
            run_commands(content, int(status or 0))
        elif language == 'diff':
            apply_diff(Path(file), content)
        elif file:
            Path(file).write_text(content)
        else:
            exec(compile(content, page.name, 'exec'), session)
        printed = capfd.readouterr().out


def test_every_block_of_a_tutorial_is_run():
    for page in PAGES:
        text = page.read_text()
        assert len(BLOCK.findall(text)) == len(re.findall('^```', text, re.M)) / 2 > 2, page
        assert {language for _, language, _, _ in BLOCK.findall(text)} <= {'bash', 'python', 'diff', 'text'}, page


def test_quoted_lines_are_compared():
    printed = (
        '11/29 14:25:03 - mmengine - INFO - scoring\n| query | mAP (%) |\n| ----- | ------: |\n| a/01  | 78.86 |\n'
    )
    check_output('scoring\n...\n| query | mAP (%) |\n| ------ | --------: |\n| a/01 | 76.1 |', printed)
    check_output('... | mAP (%) |', printed)
    for wrong in ('scored', '| a/01 | 60.0 |', '| a/02 | 78.86 |', '| a/01 | 78.86 |\nscoring'):
        with pytest.raises(AssertionError, match='not printed'):
            check_output(wrong, printed)


def test_a_diff_changes_a_file_once(tmp_path):
    file = tmp_path / 'file.py'
    file.write_text('a = 1\nb = 2\n')
    apply_diff(file, ' a = 1\n-b = 2\n+b = 3\n+c = 4\n')
    assert file.read_text() == 'a = 1\nb = 3\nc = 4\n'
    with pytest.raises(AssertionError):
        apply_diff(file, '-b = 2\n+b = 3\n')
