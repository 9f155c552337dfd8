"""The command line of the tool that renders street scenes."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / 'tools/render_street_scenes.py'


@pytest.fixture
def run(monkeypatch):
    def run(*words: object) -> None:
        monkeypatch.setattr('sys.argv', [str(TOOL), *map(str, words)])
        runpy.run_path(str(TOOL), run_name='__main__')

    return run


def test_it_renders_once(run, tmp_path, capsys):
    words = (tmp_path, '--num', 2, '--num-val', 1, '--seed', 3, '--size', 16, 32)
    run(*words)
    progress, last = capsys.readouterr().out.splitlines()
    assert progress.startswith('3/3 scenes, ') and last == f'Rendered 3 of 3 scenes; {tmp_path} is complete'
    assert len(list(tmp_path.rglob('*_leftImg8bit.png'))) == 3
    run(*words)
    assert capsys.readouterr().out == f'{tmp_path} holds these 3 scenes already: nothing to do\n'


def test_defaults(run, monkeypatch):
    calls = []
    monkeypatch.setattr(
        'renderers.street_scenes.render_street_scenes', lambda out, **options: calls.append((out, options)) or 1
    )
    run('somewhere')
    assert calls == [('somewhere', dict(num_train=400, num_val=100, seed=0, size=(64, 128)))]


def test_help_has_an_example(run, capsys):
    with pytest.raises(SystemExit):
        run('--help')
    assert 'python tools/render_street_scenes.py data/street_scenes --num 400 --seed 0' in capsys.readouterr().out
