"""Tests of files that are complete or absent, and of what killed jobs leave beside them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading

import pytest

from mmfct.utils import files
from mmfct.utils.files import file_sha256, is_temporary, is_written, replaced_when_done, write_atomically


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


def test_bytes_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / 'a.json'
    for content in (b'first', memoryview(b'second')):
        write_atomically(path, content)
        assert path.read_bytes() == content and names(tmp_path) == ['a.json']
    with pytest.raises(FileExistsError):
        write_atomically(path, b'third', overwrite=False)
    monkeypatch.setattr(files.os, 'replace', lambda *paths: (_ for _ in ()).throw(OSError('disk full')))
    with pytest.raises(OSError, match='disk full'):
        write_atomically(path, b'fourth')
    assert path.read_bytes() == b'second' and names(tmp_path) == ['a.json']
    assert file_sha256(path) == hashlib.sha256(b'second').hexdigest()


@pytest.mark.parametrize(('durable', 'syncs'), [(True, 2), (False, 0)])
def test_the_file_and_its_folder_are_synced_where_they_must_be_durable(tmp_path, monkeypatch, durable, syncs):
    synced = []
    monkeypatch.setattr(files.os, 'fsync', synced.append)
    for content in (b'first', b'second'):
        write_atomically(tmp_path / 'a', content, durable=durable)
        assert (tmp_path / 'a').read_bytes() == content and names(tmp_path) == ['a']
    assert len(synced) == 2 * syncs


def test_of_several_writers_that_must_not_overwrite_one_wins(tmp_path):
    write_atomically(tmp_path / 'new', b'first', overwrite=False)
    with pytest.raises(FileExistsError):
        write_atomically(tmp_path / 'new', b'second', overwrite=False)
    assert (tmp_path / 'new').read_bytes() == b'first' and names(tmp_path) == ['new']


@pytest.mark.parametrize(
    ('name', 'temporary'),
    [(f'a.json.{"0" * 32}.tmp', True), (f'old-00000.npy.{"f" * 32}.tmp', True), ('a.json', False), ('a.tmp', False)],
)
def test_temporary_files_are_known_by_name(tmp_path, name, temporary):
    assert is_temporary(tmp_path / name) == temporary


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
    flock, removed = files.fcntl.flock, []

    def slow(descriptor, operation):
        if not removed:
            removed.extend(tmp_path.iterdir())
            shutil.rmtree(removed[0])
        flock(descriptor, operation)

    monkeypatch.setattr(files.fcntl, 'flock', slow)
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
        monkeypatch.setattr(files.fcntl, 'flock', no_locks)
    else:
        monkeypatch.setattr(files.shutil, 'rmtree', not_mine)
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

    monkeypatch.setattr(files.os, 'open', not_mine)
    with replaced_when_done(path) as temporary:
        temporary.write_text('whole')
    assert path.read_text() == 'whole' and names(tmp_path) == ['a', left.name]


@pytest.fixture(params=[errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.ENOSYS], ids=errno.errorcode.get)
def plain_disk(request, monkeypatch):
    """A file system without hard links, locks and syncs, such as exFAT, a network drive or a cloud bucket."""

    def fail(*arguments):
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(files.os, 'link', fail)
    monkeypatch.setattr(files.os, 'fsync', fail)
    monkeypatch.setattr(files.fcntl, 'flock', fail)


def test_files_and_folders_are_written_without_links_and_syncs(plain_disk, tmp_path):
    for overwrite in (True, False):
        path = tmp_path / f'{overwrite}.json'
        write_atomically(path, b'first', overwrite=overwrite)
        assert path.read_bytes() == b'first'
    with pytest.raises(FileExistsError, match=r'False\.json'):
        write_atomically(path, b'second', overwrite=False)
    assert path.read_bytes() == b'first'
    with replaced_when_done(tmp_path / 'parts') as temporary:
        temporary.mkdir()
        (temporary / 'a').write_text('a')
    assert names(tmp_path) == ['False.json', 'True.json', 'parts']


def test_a_file_that_a_killed_process_left_empty_is_written(plain_disk, tmp_path, monkeypatch):
    (tmp_path / 'a.json').touch()
    monkeypatch.setattr(files, '_CLAIM_SECONDS', 0)
    write_atomically(tmp_path / 'a.json', b'whole', overwrite=False)
    assert (tmp_path / 'a.json').read_bytes() == b'whole' and names(tmp_path) == ['a.json']


def test_a_file_that_another_process_is_about_to_rename_is_waited_for(plain_disk, tmp_path):
    path = tmp_path / 'a.json'
    path.touch()
    timer = threading.Timer(0.1, path.write_bytes, [b'theirs'])
    timer.start()
    with pytest.raises(FileExistsError):
        write_atomically(path, b'ours', overwrite=False)
    timer.join()
    assert path.read_bytes() == b'theirs'


def test_of_many_processes_without_links_exactly_one_creates_the_file(plain_disk, tmp_path):
    for number in range(10):
        path, children = tmp_path / f'{number}.json', []
        for child in range(4):
            if (pid := os.fork()) == 0:
                try:
                    write_atomically(path, b'%d' % child, overwrite=False)
                    os._exit(0)
                except FileExistsError:
                    os._exit(1)
                finally:
                    os._exit(2)
            children.append(pid)
        status = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
        assert sorted(status) == [0, 1, 1, 1]
        assert path.read_bytes() == b'%d' % status.index(0)


def test_a_folder_that_cannot_be_opened_for_a_sync(tmp_path, monkeypatch):
    real = os.open

    def fail(path, flags, *mode):
        if path == tmp_path:
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        return real(path, flags, *mode)

    monkeypatch.setattr(files.os, 'open', fail)
    write_atomically(tmp_path / 'a', b'whole')
    assert (tmp_path / 'a').read_bytes() == b'whole'


@pytest.mark.parametrize('call', ['fsync', 'replace', 'link'])
@pytest.mark.parametrize('code', [errno.EIO, errno.ENOSPC])
def test_a_real_fault_is_an_error_that_names_the_file(tmp_path, monkeypatch, call, code):
    def fail(*arguments):
        raise OSError(code, os.strerror(code))  # as of a sync: without a name

    monkeypatch.setattr(files.os, call, fail)
    with pytest.raises(OSError, match=rf'{os.strerror(code)}: .*/a\.json.$'):
        write_atomically(tmp_path / 'a.json', b'whole', overwrite=call != 'link')
    assert names(tmp_path) == []
    if call != 'link':
        with pytest.raises(OSError, match=r'/parts.$'), replaced_when_done(tmp_path / 'parts') as temporary:
            temporary.write_text('whole')
        assert names(tmp_path) == []


def test_a_missing_folder_is_named_without_the_temporary_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"/none/a\.json'$"):
        write_atomically(tmp_path / 'none/a.json', b'')
    with pytest.raises(FileNotFoundError, match=r"/none/a'$"), replaced_when_done(tmp_path / 'none/a'):
        raise AssertionError('must not be reached')


def test_an_empty_file_is_not_written_yet(tmp_path):
    assert not is_written(tmp_path / 'a')
    (tmp_path / 'a').touch()
    assert not is_written(tmp_path / 'a')
    write_atomically(tmp_path / 'a', b'x')
    assert is_written(tmp_path / 'a')
