"""Tests of the search by comparison with every row."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmfct.functional import pairwise_distances
from mmfct.retrieval import Gallery
from mmfct.retrieval.index import exact as exact_search
from mmfct.retrieval.index.exact import search_exact


@pytest.fixture(params=['l2', 'cosine', 'inner'])
def distance(request):
    return request.param


def test_equals_a_sort_of_all_distances(make_gallery, distance):
    generator = np.random.default_rng(0)
    embedding = generator.standard_normal((50, 6))
    queries = generator.standard_normal((9, 6))
    gallery = Gallery(make_gallery('g', 'm', embedding, shard_rows=20))
    found = search_exact(gallery, queries, 7, distance)
    stored = torch.from_numpy(np.array(gallery.column('embedding'))).double()
    expected = pairwise_distances(torch.from_numpy(queries), stored, distance).sort(dim=1)
    assert np.array_equal(found.rows, expected.indices[:, :7].numpy())
    assert found.distances == pytest.approx(expected.values[:, :7].numpy(), abs=1e-12)


def test_of_equal_rows_the_first_ones_whatever_the_blocks(make_gallery, distance, monkeypatch):
    generator = np.random.default_rng(1)
    # Long rows, so that products of equal rows differ in their last bits.
    embedding = generator.standard_normal((3, 33))[generator.integers(3, size=40)] * 1000 + 1e5
    queries = generator.standard_normal((5, 33)).astype(np.float32)
    gallery = Gallery(make_gallery('g', 'm', embedding, shard_rows=16))
    found = search_exact(gallery, queries, 20, distance)
    for distances, rows in zip(*found, strict=True):
        assert len(np.unique(distances)) <= 3
        for value in np.unique(distances):
            assert np.all(np.diff(rows[distances == value]) > 0)
    monkeypatch.setattr(exact_search, '_ROWS_PER_BLOCK', 3)
    monkeypatch.setattr(exact_search, '_QUERIES_PER_CHUNK', 2)
    again = search_exact(gallery, queries, 20, distance)
    assert np.array_equal(found.rows, again.rows) and np.array_equal(found.distances, again.distances)


def test_hidden_rows_are_never_found(make_gallery, distance, monkeypatch):
    monkeypatch.setattr(exact_search, '_ROWS_PER_BLOCK', 7)
    generator = np.random.default_rng(2)
    embedding, queries = generator.standard_normal((50, 6)), generator.standard_normal((9, 6))
    gallery = Gallery(make_gallery('g', 'm', embedding, shard_rows=20))
    hidden = generator.random(50) < 0.7
    hidden[20:29] = True  # a whole block
    found = search_exact(gallery, queries, 7, distance, hidden=hidden)
    everything = search_exact(gallery, queries, 50, distance)
    for rows, all_rows in zip(found.rows, everything.rows, strict=True):
        assert rows.tolist() == all_rows[~hidden[all_rows]][:7].tolist()
    assert search_exact(gallery, queries, 50, distance, hidden=hidden).rows.shape == (9, int((~hidden).sum()))


@pytest.mark.parametrize('hidden', [np.zeros(2, bool), np.zeros(3, int)])
def test_hidden_must_say_it_of_every_row(make_gallery, hidden):
    with pytest.raises(ValueError, match=r'`hidden` must be bool of shape \(3,\), got'):
        search_exact(Gallery(make_gallery('g', 'm', np.eye(3))), np.eye(3), 1, 'l2', hidden=hidden)


def test_compared_pairs_are_counted(make_gallery, monkeypatch):
    monkeypatch.setattr(exact_search, '_ROWS_PER_BLOCK', 3)
    monkeypatch.setattr(exact_search, '_QUERIES_PER_CHUNK', 2)
    gallery, compared = Gallery(make_gallery('g', 'm', np.eye(5), shard_rows=4)), []
    search_exact(gallery, np.eye(5)[:3], 1, 'l2', advance=compared.append)
    assert compared == [6, 2, 2, 3, 1, 1] and sum(compared) == 3 * 5


def test_more_neighbours_than_rows(make_gallery):
    gallery = Gallery(make_gallery('g', 'm', np.eye(3), shard_rows=2))
    found = search_exact(gallery, np.array([[0.0, 1, 0]]), 10, 'l2')
    assert found.rows.tolist() == [[1, 0, 2]]
    assert found.distances[0] == pytest.approx([0, 2**0.5, 2**0.5])


def test_a_zero_row_is_at_cosine_distance_one(make_gallery):
    gallery = Gallery(make_gallery('g', 'm', [[0, 0], [-1, 0]]))
    assert search_exact(gallery, np.array([[1.0, 0]]), 2, 'cosine').distances.tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ('queries', 'k', 'message'),
    [
        (np.zeros((2, 2)), 1, r'`queries` must have shape \(Q, 3\) with a row, got \(2, 2\)'),
        (np.zeros((0, 3)), 1, '`queries` must have shape'),
        (np.zeros(3), 1, '`queries` must have shape'),
        (np.zeros((1, 3), int), 1, '`queries` must be finite floats, got int64'),
        (np.full((1, 3), np.nan), 1, '`queries` must be finite floats'),
        (np.zeros((1, 3)), 0, '`k` must be at least 1, got 0'),
    ],
)
def test_bad_input_is_refused(make_gallery, queries, k, message):
    with pytest.raises(ValueError, match=message):
        search_exact(Gallery(make_gallery('g', 'm', np.eye(3))), queries, k, 'l2')


def test_unknown_distance_lists_the_choices(make_gallery):
    with pytest.raises(ValueError, match="`distance` must be one of l2, cosine, inner, got 'euclid'"):
        search_exact(Gallery(make_gallery('g', 'm', np.eye(3))), np.eye(3), 1, 'euclid')
