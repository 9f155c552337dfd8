"""The command line of the tool that finds wrong labels."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/find_corrupt_labels.py'
DEFAULTS = dict(cfg_options={}, tasks=None, top=20, corrupted=None, device=None)


@pytest.fixture
def run(monkeypatch):
    """Run the tool with a function that only notes how it was called."""

    def run(*words: str) -> tuple:
        calls = []
        monkeypatch.setattr(
            'mmfct.apis.find_corrupt_labels.find_corrupt_labels', lambda *args, **kwargs: calls.append((args, kwargs))
        )
        monkeypatch.setattr('sys.argv', [str(TOOL), *words])
        runpy.run_path(str(TOOL), run_name='__main__')
        return calls[0]

    return run


@pytest.mark.parametrize(
    ('words', 'out', 'keywords'),
    [
        ([], None, {}),
        (['--out', 'a/b'], 'a/b', {}),
        (['--tasks', 'seg', 'depth'], None, dict(tasks=['seg', 'depth'])),
        (['--top', '5'], None, dict(top=5)),
        (['--corrupted', 'a.csv'], None, dict(corrupted='a.csv')),
        (['--device', 'cpu'], None, dict(device='cpu')),
        (['--cfg-options', 'a=1', 'b.c=x'], None, dict(cfg_options={'a': 1, 'b.c': 'x'})),
    ],
)
def test_every_option_arrives(run, words, out, keywords):
    assert run('c.py', 'h.pth', *words) == (('c.py', 'h.pth', out), DEFAULTS | keywords)


def test_bad_input_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr('sys.argv', [str(TOOL), 'missing.py', 'h.pth'])
    with pytest.raises(SystemExit, match='2'):
        runpy.run_path(str(TOOL), run_name='__main__')
    assert capsys.readouterr().err.startswith('error: ')
