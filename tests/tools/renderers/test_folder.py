"""Folders of rendered data in every state; more of it is tested with the scenes and clips themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from renderers.folder import completed_folder, render_missing, write_files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob('*'))


def completed(out: Path, **parameters: int):
    return completed_folder(out, parameters, name='things', what='things')


def test_the_marker_is_written_last(tmp_path):
    with completed(tmp_path / 'new/folder', seed=0) as root:
        assert names(root) == ['things.started.json']
    assert names(root) == ['things.json']
    with completed(root, seed=0) as again:
        assert again is None
    assert names(root) == ['things.json']


def test_a_block_that_fails_leaves_the_folder_incomplete(tmp_path):
    with pytest.raises(KeyboardInterrupt), completed(tmp_path, seed=0):
        raise KeyboardInterrupt
    assert names(tmp_path) == ['things.started.json']
    with pytest.raises(ValueError, match='`out` holds things with seed=0, got seed=1'), completed(tmp_path, seed=1):
        pass
    with completed(tmp_path, seed=0) as root:
        assert root == tmp_path


def test_only_what_is_missing_is_rendered(tmp_path):
    def files(item: str) -> dict[str, Path]:
        return {kind: tmp_path / item / kind for kind in 'xy'}

    rendered = []

    def contents(item: str) -> dict[str, bytes]:
        rendered.append(item)
        return {kind: item.encode() for kind in 'xy'}

    write_files(files('a'), contents('a'))
    write_files(dict(x=files('b')['x']), contents('b'))
    rendered.clear()
    assert render_missing(['a', 'b', 'c'], files, contents, unit='things') == 2
    assert rendered == ['b', 'c']
    assert [[path.read_text() for path in files(item).values()] for item in 'abc'] == [['a'] * 2, ['b'] * 2, ['c'] * 2]


def test_a_terminal_has_a_bar_that_counts_what_is_missing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('sys.stdout.isatty', lambda: True, raising=False)
    (tmp_path / 'a').touch()
    render_missing(['a', 'b', 'c'], lambda item: dict(x=tmp_path / item), lambda _: dict(x=b''), unit='things')
    shown = capsys.readouterr().out
    assert shown.startswith('\r[') and '] 2/2 things, ' in shown


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError('disk full')

    monkeypatch.setattr('mmfct.utils.files.os.replace', fail)
    with pytest.raises(OSError, match='disk full'):
        write_files(dict(x=tmp_path / 'x'), dict(x=b''))
    assert names(tmp_path) == []
