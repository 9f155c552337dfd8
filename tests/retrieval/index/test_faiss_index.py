"""Tests of FAISS indexes of galleries and of their files."""

from __future__ import annotations

import contextlib
import json
import sys

import numpy as np
import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.index import faiss_index
from mmfct.retrieval.index import file as index_file
from mmfct.retrieval.index.exact import search_exact
from mmfct.retrieval.index.faiss_index import build_index, is_quantised, search_index
from mmfct.retrieval.index.file import notes_file, read_index, write_index

faiss = pytest.importorskip('faiss')


@pytest.fixture
def queries():
    return np.random.default_rng(1).standard_normal((6, 8)).astype(np.float32)


@pytest.fixture
def make(make_gallery):
    """Make a gallery of 80 rows of width 8."""

    def make(name='g', model='new', distance='l2', seed=0) -> Gallery:
        embedding = np.random.default_rng(seed).standard_normal((80, 8))
        return Gallery(make_gallery(name, model, embedding, distance=distance, shard_rows=30))

    return make


@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
@pytest.mark.parametrize('factory', ['Flat', 'IVF1,Flat', 'HNSW32'])
def test_lossless_indexes_find_the_exact_neighbours(make, queries, factory, distance, monkeypatch):
    monkeypatch.setattr(faiss_index, '_ROWS_PER_BLOCK', 16)
    gallery = make(distance=distance)
    index = build_index(gallery, factory, parameters='efSearch=80' if factory == 'HNSW32' else '')
    found, exact = search_index(gallery, index, queries, 5), search_exact(gallery, queries, 5, distance)
    assert np.array_equal(found.rows, exact.rows)
    assert found.distances == pytest.approx(exact.distances, abs=1e-5)


def test_added_rows_are_counted_block_by_block(make, monkeypatch):
    monkeypatch.setattr(faiss_index, '_ROWS_PER_BLOCK', 16)
    added = []
    build_index(make(), 'Flat', advance=added.append)
    assert added == [16, 14, 16, 14, 16, 4]  # of shards of 30, 30 and 20 rows


def test_number_n_of_the_index_is_row_n(make):
    gallery = make()
    index = build_index(gallery, 'Flat')
    assert np.array_equal(index.reconstruct_n(0, 80), gallery.column('embedding'))


@pytest.mark.parametrize(
    ('factory', 'quantised'),
    [
        ('Flat', False),
        ('IVF2,Flat', False),
        ('HNSW8', False),
        ('RR8,Flat', False),
        ('SQ8', True),
        ('SQfp16', True),
        ('PQ4x4', True),
        ('IVF2,PQ4x4', True),
        ('HNSW8,SQ8', True),
        ('PCA4,Flat', True),
    ],
)
def test_quantised_indexes_are_known(make, factory, quantised):
    assert is_quantised(build_index(make(), factory)) == quantised


def test_missing_neighbours_are_infinitely_far(make, queries):
    gallery = make()
    found = search_index(gallery, build_index(gallery, 'IVF8,Flat'), queries, 80)
    assert (found.rows == -1).any()
    assert np.isinf(found.distances[found.rows == -1]).all()
    assert np.isfinite(found.distances[found.rows >= 0]).all()


def test_training_on_a_sample_is_seeded(make, queries):
    gallery = make()
    indexes = [build_index(gallery, 'IVF4,Flat', train_rows=20, seed=seed) for seed in (0, 0, 1)]
    centres = [index.quantizer.reconstruct_n(0, 4) for index in map(faiss.downcast_index, indexes)]
    assert np.array_equal(centres[0], centres[1])
    assert not np.array_equal(centres[0], centres[2])


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
    with pytest.raises(ValueError, match="must be the index of gallery 'other' .*, got that of 'g' .*; build"):
        read_index(file, make('other', seed=1))


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


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(factory='Foo'), "must describe an index of 80 vectors of width 8, got 'Foo' and '': .*could not parse"),
        (dict(factory='IVF100,Flat'), 'Number of training points'),
        (dict(factory='Flat', parameters='nprobe=x'), "got 'Flat' and 'nprobe=x'"),
        (dict(factory='Flat', train_rows=0), '`train_rows` must be at least 1, got 0'),
    ],
)
def test_bad_input_is_refused(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        build_index(make(), **arguments)


def test_without_faiss_the_message_says_how_to_install_it(make, monkeypatch):
    monkeypatch.setitem(sys.modules, 'faiss', None)
    with pytest.raises(ImportError, match=r"install it with `pip install 'mmfct\[faiss\]'`"):
        build_index(make(), 'Flat')


def test_close_directions_are_told_apart(make_gallery):
    generator = np.random.default_rng(0)
    bases = generator.standard_normal((20, 1, 16))
    rows = (bases + 1e-3 * generator.standard_normal((20, 20, 16))).reshape(400, 16) * generator.uniform(
        1, 9, (400, 1)
    )
    gallery = Gallery(make_gallery('close', 'new', rows, distance='cosine'))
    queries = np.asarray(gallery.column('embedding'))
    found = search_index(gallery, build_index(gallery, 'Flat'), queries, 5)
    exact = search_exact(gallery, queries, 5, 'cosine')
    assert (found.rows == exact.rows).mean() > 0.99
    assert found.distances == pytest.approx(exact.distances, abs=1e-9)


def test_rows_of_zeros_have_no_angle(make_gallery):
    rows = np.concatenate([np.zeros((2, 3)), np.eye(3), -np.eye(3)])
    gallery = Gallery(make_gallery('zeros', 'new', rows, distance='cosine'))
    queries = np.array([[2.0, 0.1, 0.2], [0, 0, 0]], np.float32)
    found = search_index(gallery, build_index(gallery, 'Flat'), queries, 8)
    exact = search_exact(gallery, queries, 8, 'cosine')
    assert found.distances == pytest.approx(exact.distances, abs=1e-6)
    assert found.rows[0].tolist() == exact.rows[0].tolist() == [2, 4, 3, 0, 1, 6, 7, 5]


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
