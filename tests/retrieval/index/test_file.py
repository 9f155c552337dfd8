"""Tests of indexes on disk, and of the notes beside them."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest

from mmfct.retrieval.index import file as index_file
from mmfct.retrieval.index.exact import search_exact
from mmfct.retrieval.index.faiss_index import build_index, search_index
from mmfct.retrieval.index.file import notes_file, read_index, write_index

faiss = pytest.importorskip('faiss')


def test_round_trip_with_parameters(make, queries, tmp_path):
    gallery = make()
    index = build_index(gallery, 'IVF8,Flat', parameters='nprobe=8')
    notes = write_index(index, tmp_path / 'new/g.faiss', gallery, 'IVF8,Flat')
    assert sorted(file.name for file in notes.parent.iterdir()) == ['g.faiss', 'g.faiss.json']
    again = read_index(tmp_path / 'new/g.faiss', gallery)
    exact = search_exact(gallery, queries, 5, 'l2')
    assert np.array_equal(search_index(gallery, again, queries, 5).rows, exact.rows)
    entries = json.loads(notes.read_text())
    assert (entries['factory'], entries['quantised'], entries['num_rows']) == ('IVF8,Flat', False, 80)
    assert entries['gallery'] == dict(name='g', fingerprint=gallery.fingerprint, **gallery.metadata)


def test_an_index_of_something_else_is_refused_with_both_names(make, tmp_path):
    gallery, file = make(), tmp_path / 'g.faiss'
    write_index(build_index(gallery, 'Flat'), file, gallery, 'Flat')
    with pytest.raises(ValueError, match='must come from one model, got an index of new .* and a gallery of old'):
        read_index(file, make('old', 'old'))
    with pytest.raises(ValueError, match="must be the index of .*/other .*, got that of 'g' .*; build"):
        read_index(file, make('other', seed=1))


def test_a_full_disk_is_said(make, tmp_path, monkeypatch):
    gallery = make()
    index = build_index(gallery, 'Flat')

    def fail(*args):
        raise RuntimeError('Error in write_index:\n4051 != 48000 (No space left on device)')

    monkeypatch.setattr(faiss, 'write_index', fail)
    with pytest.raises(OSError, match=r'g.faiss. cannot be written: Error in write_index: 4051 .*No space left'):
        write_index(index, tmp_path / 'g.faiss', gallery, 'Flat')
    assert not list(tmp_path.glob('g.faiss*'))


def test_damaged_or_missing_files_are_refused(make, tmp_path):
    gallery, file = make(), tmp_path / 'g.faiss'
    write_index(build_index(gallery, 'Flat'), file, gallery, 'Flat')
    good, notes = file.read_bytes(), notes_file(file).read_text()
    file.write_bytes(good[:-1] + b'x')
    with pytest.raises(ValueError, match='must match its checksum, got other content; build it with'):
        read_index(file, gallery)
    file.write_bytes(good)
    for content, message in (
        ('{', 'must be the notes of an index, got'),
        ('{}', 'must be the notes of an index, got'),
        (
            notes.replace('"format_version": 2', '"format_version": 1'),
            'must have `format_version` 2, got 1; build it with .*g.faiss --factory Flat`',
        ),
    ):
        notes_file(file).write_text(content)
        with pytest.raises(ValueError, match=message):
            read_index(file, gallery)
    notes_file(file).unlink()
    with pytest.raises(FileNotFoundError, match='needs its file and the notes beside it, got no .*g.faiss.json'):
        read_index(file, gallery)


def test_a_failed_write_leaves_the_old_index(make, tmp_path, monkeypatch):
    gallery, file = make(), tmp_path / 'g.faiss'
    index = build_index(gallery, 'Flat')
    write_index(index, file, gallery, 'Flat')
    before = {path.name: path.read_bytes() for path in tmp_path.glob('g.faiss*')}

    def fail(index, name):
        with open(name, 'wb') as half:
            half.write(b'half')
        raise OSError('disk full')

    monkeypatch.setattr(faiss, 'write_index', fail)
    with pytest.raises(OSError, match='disk full'):
        write_index(index, file, gallery, 'Flat')
    assert {path.name: path.read_bytes() for path in tmp_path.glob('g.faiss*')} == before


def test_parameters_that_faiss_forgets_are_kept(make, tmp_path):
    gallery = make()
    parameters = 'nprobe=4,max_codes=20'
    index = build_index(gallery, 'IVF4,Flat', parameters=parameters)
    write_index(index, tmp_path / 'g.faiss', gallery, 'IVF4,Flat', parameters)
    again = faiss.extract_index_ivf(read_index(tmp_path / 'g.faiss', gallery))
    assert (again.nprobe, again.max_codes) == (4, 20)
    with pytest.raises(ValueError, match='g.faiss --factory IVF4,Flat --parameters nprobe=4,max_codes=20`'):
        read_index(tmp_path / 'g.faiss', make('other', seed=1))


def test_a_file_that_another_process_replaces_meanwhile_is_refused(make, tmp_path, monkeypatch):
    gallery, other, file = make(), make('other', seed=1), tmp_path / 'g.faiss'
    replaced = index_file.replaced_when_done

    @contextlib.contextmanager
    def interrupted(path):
        with replaced(path) as temporary:
            yield temporary
        if path == file:
            faiss.write_index(build_index(other, 'Flat'), str(file))

    monkeypatch.setattr(index_file, 'replaced_when_done', interrupted)
    write_index(build_index(gallery, 'Flat'), file, gallery, 'Flat')
    with pytest.raises(ValueError, match='must match its checksum'):
        read_index(file, gallery)


def test_a_folder_is_no_place_for_an_index(make, tmp_path):
    with pytest.raises(IsADirectoryError, match='an index is a file, got the folder .*; name a file, such as'):
        write_index(None, tmp_path, make(), 'Flat')


@pytest.mark.parametrize('parameters', ['nprobe=0', 'nlist=3'])
def test_parameters_that_no_search_can_use_are_refused(make, tmp_path, parameters):
    gallery = make()
    index = build_index(gallery, 'IVF4,Flat')
    write_index(index, tmp_path / 'g.faiss', gallery, 'IVF4,Flat', parameters)
    with pytest.raises(
        ValueError, match=f"must have `parameters` of the index, got '{parameters}': .* build it again"
    ):
        read_index(tmp_path / 'g.faiss', gallery)
