"""Tests of FAISS indexes of galleries."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from mmfct.retrieval import Gallery
from mmfct.retrieval.index import faiss_index
from mmfct.retrieval.index.exact import search_exact
from mmfct.retrieval.index.faiss_index import build_index, is_quantised, search_index

faiss = pytest.importorskip('faiss')


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


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(factory='Foo'), "must describe an index of 80 vectors of width 8, got 'Foo' and '': .*could not parse"),
        (dict(factory='IVF100,Flat'), 'Number of training points'),
        (dict(factory='Flat', parameters='nprobe=x'), "a whole number from 1, got 'nprobe=x'"),
        (dict(factory='Flat', parameters='verbose=x'), "got 'Flat' and 'verbose=x'"),
        (dict(factory='IVF8,Flat', parameters='nprobe=0'), "must give nprobe a whole number from 1, got 'nprobe=0'"),
        (dict(factory='IVF8,Flat', parameters='nprobe=-1'), "a whole number from 1, got 'nprobe=-1'"),
        (dict(factory='IVF8,Flat', parameters='nprobe=2.5'), "a whole number from 1, got 'nprobe=2.5'"),
        (dict(factory='HNSW8', parameters='efSearch=0'), "must give efSearch a whole number from 1, got 'efSearch=0'"),
        (dict(factory='IVF8_HNSW8,Flat', parameters='nprobe=2,quantizer_efSearch=-3'), "got 'quantizer_efSearch=-3'"),
        (dict(factory='HNSW8', parameters='nprobe=4'), "got 'HNSW8' and 'nprobe=4': "),
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


@pytest.mark.parametrize('share', [0.0, 0.5, 0.97])
def test_an_index_is_asked_until_enough_rows_are_not_hidden(make, queries, share):
    gallery = make()
    index = build_index(gallery, 'Flat')
    hidden = np.zeros(len(gallery), bool)
    # The nearest ones of the first query: a few more than it is asked for at first.
    hidden[search_exact(gallery, queries[:1], round(share * len(gallery)) or 1, 'l2').rows] = share > 0
    found = search_index(gallery, index, queries, 3, hidden=hidden)
    exact = search_exact(gallery, queries, 3, 'l2', hidden=hidden)
    number = exact.rows.shape[1]
    assert np.array_equal(found.rows[:, :number], exact.rows) and (found.rows[:, number:] == -1).all()
    with pytest.raises(ValueError, match='`hidden` must be bool of shape'):
        search_index(gallery, index, queries, 3, hidden=hidden[1:])
