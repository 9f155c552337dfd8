"""The command line that decides whether a switch is safe."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/evaluate_compatibility.py'


@pytest.fixture
def run(monkeypatch, switch, tmp_path):
    """Run the tool on queries and galleries and return its exit status."""

    def run(*words: str) -> int:
        sets = ['--query', f'old={switch.old}', f'new={switch.new}']
        sets += ['--gallery', f'old={switch.old}', '--gallery', f'upgraded={switch.upgraded}']
        monkeypatch.setattr('sys.argv', [str(TOOL), *sets, '--out', str(tmp_path / 'out'), *words])
        with pytest.raises(SystemExit) as status:
            runpy.run_path(str(TOOL), run_name='__main__')
        return status.value.code

    return run


@pytest.mark.parametrize(
    ('words', 'status'),
    [
        ([], 0),
        (['--gate'], 0),
        (['--gate', '--baseline', 'new/upgraded', '--candidate', 'old/old', '--metric', 'cmc1'], 1),
        (['--gate', '--baseline', 'new/upgraded', '--candidate', 'old/old', '--margin', '1'], 0),
        (['--also', 'new/old'], 0),
    ],
)
def test_exit_status(run, words, status, tmp_path):
    assert run(*words) == status
    assert (tmp_path / 'out/gate.md').exists() == ('--gate' in words)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--query', 'old=a'], "error: names must be different, got 'old'"),
        (['--gallery', 'x=missing'], 'error: `path` must be a folder with a manifest.json'),
        (['--gate', '--confidence', '2'], 'error: `confidence` must lie between 0 and 1, got 2.0'),
        (['--gate', '--margin', '-1'], 'error: `margin` must be at least 0'),
    ],
)
def test_bad_input(run, words, message, capsys):
    assert run(*words) == 2
    assert message in capsys.readouterr().err
