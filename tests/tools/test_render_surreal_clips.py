"""The command line of the tool that renders clips."""

from __future__ import annotations


def test_it_renders_once(run_tool, tmp_path, capsys):
    words = (tmp_path, '--num', 2, '--num-val', 1, '--num-test', 0, '--frames', 1, '--seed', 3)
    assert run_tool('render_surreal_clips.py', *words) == 0
    progress, last = capsys.readouterr().out.splitlines()
    assert progress.startswith('3/3 clips, ') and last == f'Rendered 3 of 3 clips; {tmp_path} is complete'
    assert len(list(tmp_path.rglob('*.mp4'))) == 3
    run_tool('render_surreal_clips.py', *words)
    assert capsys.readouterr().out == f'{tmp_path} holds these 3 clips already: nothing to do\n'


def test_help_has_an_example(run_tool, capsys):
    assert run_tool('render_surreal_clips.py', '--help') == 0
    assert 'python tools/render_surreal_clips.py data/surreal_clips --num' in capsys.readouterr().out
