"""Tests of vectors in .npy files."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.options import SourceOptions

OPTIONS = SourceOptions(model='m', distance='cosine')


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / 'x.npy', np.arange(8, dtype=np.float32).reshape(4, 2))
    return tmp_path / 'x.npy'


def beside(path, ending, content):
    file = path.with_name('x' + ending)
    file.write_text(content) if isinstance(content, str) else np.save(file, content)


def read(path, columns=None):
    source = open_source(path, options=SourceOptions(columns or VectorColumns(), model='m', distance='cosine'))
    return source.column('id').tolist(), source.column('label').tolist() if 'label' in source.columns else None


@pytest.mark.parametrize(
    ('files', 'labels'),
    [
        ({'.ids.npy': np.array(['a', 'b', 'c', 'd'])}, None),
        ({'.ids.txt': 'a\nb\nc\nd'}, None),
        ({'.ids.txt': 'a\r\nb\r\nc\r\nd\r\n', '.labels.txt': '3\n\n1\n-1\n'}, [3, -1, 1, -1]),
        ({'.ids.npy': np.array(['a', 'b', 'c', 'd']), '.labels.npy': np.array([1, 2, 3, 4])}, [1, 2, 3, 4]),
        ({'.ids.csv': 'x,id,label\n0,a,u\n1,b,v\n2,c,\n3,"d",u\n'}, [0, 1, -1, 0]),
        (
            {'.csv': 'id,text\na,"one,\ntwo"\nb,2\nc,3\nd,4\n', '.labels.npy': np.array([1.0, np.nan, 0, 2])},
            [1, -1, 0, 2],
        ),
    ],
)
def test_files_beside(path, files, labels):
    for ending, content in files.items():
        beside(path, ending, content)
    assert read(path) == (['a', 'b', 'c', 'd'], labels)


def test_integers_as_ids_and_chosen_columns(path):
    beside(path, '.ids.npy', np.array([4, 3, 2, 1]))
    assert read(path) == (['4', '3', '2', '1'], None)
    path.with_name('x.ids.npy').unlink()
    beside(path, '.csv', 'id,name,class\n1,a,u\n2,b,u\n3,c,u\n4,d,u\n')
    assert read(path, VectorColumns(id='name', label='')) == (['a', 'b', 'c', 'd'], None)


def test_big_endian_and_fortran_order(path):
    values = np.arange(8.0).reshape(4, 2)
    np.save(path, np.asfortranarray(values.astype('>f4')))
    beside(path, '.ids.npy', np.arange(4))
    source = open_source(path, options=OPTIONS)
    assert np.array_equal(source.column('embedding'), values) and source.columns['embedding'] == ('float32', 2)


@pytest.mark.parametrize(
    ('files', 'error', 'message'),
    [
        ({}, FileNotFoundError, r'must have ids beside it.* x.ids.npy, x.ids.txt, x.ids.csv, x.csv, got none'),
        ({'.ids.txt': 'a\nb\n'}, ValueError, 'must have one of the ids beside it for each of its 4 vectors, got 2'),
        ({'.ids.txt': 'a\nb\n\nd'}, ValueError, "got an empty one after 'b'"),
        (
            {'.ids.txt': 'a\nb\nc\nd', '.csv': 'id\na'},
            ValueError,
            r'which file belongs to .*x.npy.*x.ids.txt and x.csv',
        ),
        ({'.ids.npy': np.ones((4, 2))}, ValueError, r'must hold texts or integers of shape \(N,\), got float64'),
        ({'.ids.npy': np.array(['a', 2, None, 4], object)}, ValueError, 'must be a .npy file of plain numbers'),
        ({'.csv': 'a\nb\nc\nd\n'}, ValueError, 'must have an id column'),
        ({'.csv': ''}, ValueError, 'must begin with the names of its columns, got an empty file'),
        ({'.csv': 'id,label\na\nb,1\nc,1\nd,1\n'}, ValueError, 'must have 2 fields, got 1 in row 1'),
        (
            {'.csv': 'id,label\na,1\nb,1\nc,1\nd,1\n', '.labels.txt': '1\n1\n1\n1\n'},
            ValueError,
            "labels must be in one file, got a column 'label' in .*csv and .*labels.txt",
        ),
        ({'.ids.txt': 'a\nb\nc\nd', '.labels.txt': '1\n'}, ValueError, 'must have one of the labels beside it for'),
        (
            {'.ids.txt': 'a\nb\nc\nd', '.side.npy': np.ones((3, 2))},
            ValueError,
            'must have one of the side_info beside',
        ),
        ({'.ids.txt': 'a\nb\nc\nd', '.side.npy': np.ones(4)}, ValueError, r'must hold vectors of shape \(N, D\)'),
    ],
)
def test_wrong_files_are_refused(path, files, error, message):
    for ending, content in files.items():
        beside(path, ending, content)
    with pytest.raises(error, match=message):
        open_source(path, options=OPTIONS)


@pytest.mark.parametrize(
    'content', [np.arange(4), np.ones(4), np.ones((0, 3)), np.ones((4, 1), complex), np.ones((4, 3), np.int8)]
)
def test_other_arrays_are_refused(path, content):
    np.save(path, content)
    message = r'must hold vectors of shape \(N, D\), float16, float32 or float64, got .*\(code - zero point\) \* scale'
    with pytest.raises(ValueError, match=message):
        open_source(path, options=OPTIONS)


def test_cut_off_and_hostile_files_are_refused(path, tmp_path):
    beside(path, '.ids.txt', 'a\nb\nc\nd')
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(ValueError, match='x.npy must be a .npy file of plain numbers'):
        open_source(path, options=OPTIONS)

    class Hostile:
        def __reduce__(self):
            return (tmp_path / 'hacked').touch, ()

    np.save(path, np.array([Hostile()], object), allow_pickle=True)
    with pytest.raises(ValueError, match='x.npy must be a .npy file of plain numbers'):
        open_source(path, options=OPTIONS)
    path.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(ValueError, match='x.npy must be a .npy file of plain numbers'):
        open_source(path, options=OPTIONS)
    assert not (tmp_path / 'hacked').exists()


def test_texts_in_another_encoding_are_refused(path):
    for ending, message in {'.ids.txt': 'must be text in UTF-8, one per line', '.csv': 'must be CSV in UTF-8'}.items():
        file = path.with_name('x' + ending)
        file.write_bytes(b'id\n\xff\n')
        with pytest.raises(ValueError, match=message):
            open_source(path, options=OPTIONS)
        file.unlink()


@pytest.mark.parametrize(
    ('ending', 'unused', 'used'),
    [('.ids.txt', ('vector', 'id', 'label', 'side'), ()), ('.csv', ('vector', 'side'), ('id',))],
)
def test_names_of_columns_that_the_files_do_not_have_are_not_used(path, monkeypatch, ending, unused, used):
    said = []
    monkeypatch.setattr('mmfct.retrieval.stores.npy_keys.say_once', said.append)
    beside(path, ending, 'id\na\nb\nc\nd' if used else 'a\nb\nc\nd')
    for name in used:
        assert read(path, VectorColumns(**{name: 'id'})) == (['a', 'b', 'c', 'd'], None)
    assert said == []
    for name in unused:
        assert read(path, VectorColumns(**{name: 'x'})) == (['a', 'b', 'c', 'd'], None)
    assert len(said) == len(unused) and all('x.npy' in line and 'are not used' in line for line in said)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='`path` must be a file of vectors'):
        open_source(tmp_path / 'x.npy', options=OPTIONS)


def test_files_that_change_while_they_are_read(path):
    beside(path, '.ids.txt', 'a\nb\nc\nd')
    source = open_source(path, options=OPTIONS)
    np.save(path, np.ones((5, 2), np.float32))
    with pytest.raises(ValueError, match='must not change while it is read, got other files; start again'):
        source.verify_shard(0)
