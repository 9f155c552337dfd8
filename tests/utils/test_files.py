"""Tests of files that libraries write by name, and of what killed jobs leave beside them."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from mmfct.utils import files as replaced_files
from mmfct.utils.files import replaced_when_done


def killed_while_writing(path) -> None:
    """Write half of a file in a process that is killed."""
    child = os.fork()
    if child == 0:
        with replaced_when_done(path) as temporary:
            temporary.write_text('half')
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)


def names(folder) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_complete_or_absent(tmp_path):
    path = tmp_path / 'g.faiss'
    with pytest.raises(KeyboardInterrupt), replaced_when_done(path) as temporary:
        temporary.write_text('half')
        raise KeyboardInterrupt
    assert names(tmp_path) == []
    for text in ('first', 'second'):
        with replaced_when_done(path) as temporary:
            temporary.write_text(text)
        assert path.read_text() == text and names(tmp_path) == ['g.faiss']


def test_folders_too(tmp_path):
    with replaced_when_done(tmp_path / 'parts') as temporary:
        temporary.mkdir()
        (temporary / 'a').write_text('a')
    assert names(tmp_path) == ['parts'] and names(tmp_path / 'parts') == ['a']


def test_the_next_write_of_the_target_removes_what_a_kill_left(tmp_path):
    path, other = tmp_path / 'g.faiss', tmp_path / 'g.faiss.json'
    for target in (path, other):
        killed_while_writing(target)
    (tmp_path / 'g.faiss.mine.tmp').mkdir()
    assert len(names(tmp_path)) == 3
    with replaced_when_done(path) as temporary:
        temporary.write_text('whole')
    assert path.read_text() == 'whole'
    left = [name for name in names(tmp_path) if name.startswith('g.faiss.json.')]
    assert len(left) == 1 and names(tmp_path) == sorted(['g.faiss', *left, 'g.faiss.mine.tmp'])


def test_a_process_that_still_writes_is_left_alone(tmp_path):
    path = tmp_path / 'g.faiss'
    (reader, writer), (go_on, release) = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with replaced_when_done(path) as temporary:
                temporary.write_text('slow')
                os.write(writer, b'!')
                os.read(go_on, 1)
            os._exit(0)
        finally:
            os._exit(1)
    os.read(reader, 1)
    with replaced_when_done(path) as temporary:
        temporary.write_text('fast')
    assert path.read_text() == 'fast' and len(names(tmp_path)) == 2
    os.write(release, b'!')
    assert os.waitpid(child, 0)[1] == 0
    assert path.read_text() == 'slow' and names(tmp_path) == ['g.faiss']


def test_a_folder_that_is_removed_before_it_is_locked_is_made_again(tmp_path, monkeypatch):
    flock, removed = replaced_files.fcntl.flock, []

    def slow(descriptor, operation):
        if not removed:
            removed.extend(tmp_path.iterdir())
            shutil.rmtree(removed[0])
        flock(descriptor, operation)

    monkeypatch.setattr(replaced_files.fcntl, 'flock', slow)
    with replaced_when_done(tmp_path / 'a') as temporary:
        assert temporary.parent != removed[0]
        temporary.write_text('a')
    assert names(tmp_path) == ['a']


@pytest.mark.parametrize('failing', ['flock', 'rmtree'])
def test_what_cannot_be_told_or_removed_is_left_alone(tmp_path, monkeypatch, failing):
    path, rmtree = tmp_path / 'a', shutil.rmtree
    killed_while_writing(path)
    (left,) = tmp_path.iterdir()

    def no_locks(*arguments):
        raise OSError(errno.ENOLCK, 'No locks available')

    def not_mine(folder):
        if folder == left:
            raise PermissionError(errno.EPERM, 'Operation not permitted')
        rmtree(folder)

    if failing == 'flock':
        monkeypatch.setattr(replaced_files.fcntl, 'flock', no_locks)
    else:
        monkeypatch.setattr(replaced_files.shutil, 'rmtree', not_mine)
    with replaced_when_done(path) as temporary:
        temporary.write_text('whole')
    assert path.read_text() == 'whole' and names(tmp_path) == ['a', left.name]


def test_a_folder_that_cannot_be_opened_is_somebody_elses(tmp_path, monkeypatch):
    path = tmp_path / 'a'
    killed_while_writing(path)
    (left,) = tmp_path.iterdir()
    real = os.open

    def not_mine(folder, *args, **options):
        if folder == left:
            raise PermissionError(errno.EACCES, 'Permission denied')
        return real(folder, *args, **options)

    monkeypatch.setattr(replaced_files.os, 'open', not_mine)
    with replaced_when_done(path) as temporary:
        temporary.write_text('whole')
    assert path.read_text() == 'whole' and names(tmp_path) == ['a', left.name]
