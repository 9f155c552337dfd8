"""Tests of the search for neighbours of embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.apis.build_index import IndexOptions, index_gallery
from mmfct.apis.search_gallery import find_neighbours
from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance


@pytest.fixture
def gallery(make_gallery):
    return Gallery(make_gallery('g', 'm', [[0.0, 0], [3, 0], [0, 1]], label=[7, 8, 9]))


@pytest.fixture
def model(gallery):
    return Provenance.from_metadata(gallery.metadata).embedding


@pytest.mark.parametrize('indexed', [False, True])
def test_neighbours_with_ids_labels_and_distances(gallery, model, indexed, tmp_path):
    if indexed:
        pytest.importorskip('faiss')
        index_gallery(gallery.path, tmp_path / 'g.faiss', IndexOptions(num_queries=0))
    queries = np.array([[2.0, 0], [0, 5]])
    found = find_neighbours(
        gallery, queries, model, names=['a', 'b'], k=2, index=tmp_path / 'g.faiss' if indexed else None
    )
    assert found.ids == [['001.png', '000.png'], ['002.png', '000.png']]
    assert found.labels == [[8, 7], [9, 7]]
    assert found.distances == [pytest.approx([1, 2]), pytest.approx([4, 5])]
    assert found.table().splitlines()[2:] == [
        '| a     |    1 | 001.png |     8 |        1 |',
        '|       |    2 | 000.png |     7 |        2 |',
        '| b     |    1 | 002.png |     9 |        4 |',
        '|       |    2 | 000.png |     7 |        5 |',
    ]
    assert found.to_json()[0] == dict(query='a', ids=found.ids[0], labels=[8, 7], distances=found.distances[0])


def test_a_search_shows_its_progress(gallery, model, capsys):
    find_neighbours(gallery, np.array([[2.0, 0], [0, 5]]), model, names=['a', 'b'])
    assert f'{2 * len(gallery)}/{2 * len(gallery)}' in capsys.readouterr().out


def test_a_gallery_without_labels(make_gallery):
    gallery = Gallery(make_gallery('g', 'm', np.eye(2)))
    model = Provenance.from_metadata(gallery.metadata).embedding
    found = find_neighbours(gallery, np.eye(2), model, names=['a', 'b'], k=1)
    assert found.labels is None
    assert 'label' not in found.table()
    assert found.to_json()[0]['labels'] is None


def test_an_index_may_find_fewer(gallery, model, tmp_path):
    pytest.importorskip('faiss')
    index_gallery(gallery.path, tmp_path / 'g.faiss', IndexOptions('IVF3,Flat', num_queries=0))
    found = find_neighbours(gallery, np.array([[2.9, 0]]), model, names=['a'], k=3, index=tmp_path / 'g.faiss')
    assert found.ids == [['001.png']]
    assert len(found.distances[0]) == 1


def test_queries_of_another_model_are_refused_with_both_names(gallery):
    other = ModelIdentity('other', 'f' * 64)
    with pytest.raises(ValueError, match=r'got queries of other \(ffffffffffff\) and a gallery of m \('):
        find_neighbours(gallery, np.zeros((1, 2)), other, names=['a'])


def test_neighbours_are_right_or_wrong_by_class_name(make_gallery):
    ids = ['cat/0.png', 'dog/1.png', 'cat/2.png']
    gallery = Gallery(make_gallery('named', 'm', np.eye(3), label=[3, 4, 3], id=ids))
    model = Provenance.from_metadata(gallery.metadata).embedding
    queries = np.eye(3)[[0, 1]] + [0, 0, 0.5]
    found = find_neighbours(gallery, queries, model, names=['a', 'b'], labels=[3, -1], k=2)
    assert found.class_names == {3: 'cat', 4: 'dog'}
    assert found.ids == [['cat/0.png', 'cat/2.png'], ['dog/1.png', 'cat/2.png']]
    assert [found.is_right(0, place) for place in (0, 1)] == [True, True]
    assert found.is_right(1, 0) is None
    assert '|   dog |' in found.table() and found.table(1).count('.png') == 2
    assert found.to_json()[1]['labels'] == [4, 3]


def test_the_names_that_a_gallery_has_come_before_those_of_folders(make_gallery):
    # Folders of a class may be nested: they do not go with the labels one to one.
    ids = ['cat/a/0.png', 'cat/b/1.png', 'dog/2.png']
    path = make_gallery('named', 'm', np.eye(3), label=[3, 3, 4], id=ids)
    gallery = Gallery(path)
    gallery.metadata['label_names'] = {'3': 'cat', '4': 'dog'}
    model = Provenance.from_metadata(gallery.metadata).embedding
    found = find_neighbours(gallery, np.eye(3)[:1], model, names=['a'], k=2)
    assert found.class_names == {3: 'cat', 4: 'dog'}
