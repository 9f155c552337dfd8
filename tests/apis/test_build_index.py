"""Tests of indexes built from a folder, and of their recall."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.apis.build_index import IndexOptions, index_gallery, recall_of
from mmfct.retrieval import Gallery
from mmfct.retrieval.index.exact import Neighbours, search_exact
from mmfct.retrieval.index.file import read_index

pytest.importorskip('faiss')


@pytest.mark.parametrize('query', [None, 'new'])
def test_a_flat_index_misses_nothing(switch, tmp_path, query, capsys):
    queries = query and getattr(switch, query)
    assert index_gallery(switch.upgraded, tmp_path / 'g.faiss', query=queries) == 1
    output = capsys.readouterr().out
    assert 'recall@10 against exact search: 100.00 %' in output
    assert 'quantised' not in output
    assert read_index(tmp_path / 'g.faiss', Gallery(switch.upgraded)).ntotal == 60


def test_progress_of_adding_and_of_comparing(switch, tmp_path, capsys):
    index_gallery(switch.upgraded, tmp_path / 'g.faiss', IndexOptions(num_queries=7))
    output = capsys.readouterr().out
    assert output.index('Adding 60 rows') < output.index('60/60') < output.index('Comparing 7 queries')
    assert output.index('Comparing 7 queries') < output.index('420/420') and 'pairs/s' in output


def test_recall_equals_a_plain_loop(switch, tmp_path, capsys):
    options = IndexOptions('IVF4,Flat', k=5)
    recall = index_gallery(switch.upgraded, tmp_path / 'g.faiss', options, query=switch.new)
    gallery = Gallery(switch.upgraded)
    queries = np.array(Gallery(switch.new).column('embedding'))
    exact = search_exact(gallery, queries, 5, 'l2').rows
    _, found = read_index(tmp_path / 'g.faiss', gallery).search(queries, 5)
    hits = [len(set(a) & set(b)) / 5 for a, b in zip(exact.tolist(), found.tolist(), strict=True)]
    assert recall == pytest.approx(np.mean(hits))
    assert 0 < recall < 1


def test_rows_of_the_gallery_do_not_find_themselves(make_gallery, tmp_path):
    """Half the rows are missing from the index: only finding itself would make the others right."""
    path = make_gallery('g', 'm', np.arange(40.0)[:, None] ** 2)
    assert index_gallery(path, tmp_path / 'g.faiss', IndexOptions('IVF10,Flat', k=39)) < 0.5


def test_neighbours_at_the_same_distance_are_as_good(make_gallery):
    gallery = Gallery(make_gallery('g', 'm', [[0.0], [1], [-1], [5]]))
    query = np.zeros((1, 1))
    exact = search_exact(gallery, query, 2, 'l2')
    assert exact.rows.tolist() == [[0, 1]]
    for rows, recall in (([0, 2], 1), ([0, 3], 0.5), ([2, -1], 0.5)):
        assert recall_of(gallery, query, exact, Neighbours(None, np.array([rows])), 'l2') == recall


def test_a_quantised_index_comes_with_a_warning(switch, tmp_path, capsys):
    recall = index_gallery(switch.upgraded, tmp_path / 'g.faiss', IndexOptions('PQ4x4', num_queries=0))
    assert recall is None
    assert 'PQ4x4 keeps quantised vectors: to upgrade to a new model, upgrade the gallery' in capsys.readouterr().out


def test_a_single_row_has_no_neighbours(make_gallery, tmp_path):
    assert index_gallery(make_gallery('g', 'm', np.ones((1, 2))), tmp_path / 'g.faiss') is None


def test_bad_input_is_refused(switch, tmp_path):
    with pytest.raises(ValueError, match='queries of model_v1 .* and a gallery of model_v2'):
        index_gallery(switch.upgraded, tmp_path / 'g.faiss', query=switch.old)
    with pytest.raises(ValueError, match='`k` must be at least 1, got 0'):
        IndexOptions(k=0)
    with pytest.raises(ValueError, match='`num_queries` must be at least 0, got -1'):
        IndexOptions(num_queries=-1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(('factory', 'status'), [('HNSW8', 0), ('Foo', 2)])
def test_tool(switch, tmp_path, run_tool, capsys, factory, status):
    words = [switch.upgraded, tmp_path / 'g.faiss', '--factory', factory, '--parameters', 'efSearch=32', '--k', '3']
    assert run_tool('build_index.py', *words) == status
    assert ('error: `factory`' in capsys.readouterr().err) == bool(status)
    assert (tmp_path / 'g.faiss.json').exists() == (not status)


def test_vectors_of_another_program(switch, tmp_path, run_tool, capsys):
    np.save(tmp_path / 'items.npy', np.array(Gallery(switch.upgraded).column('embedding')))
    (tmp_path / 'items.ids.txt').write_text('\n'.join(map(str, range(60))))
    words = [tmp_path / 'items.npy', '--model', 'm', '--distance', 'l2']
    assert run_tool('build_index.py', words[0], tmp_path / 'i.faiss', *words[1:], '--query', words[0]) == 0
    assert 'recall@10 against exact search: 100.00 %' in capsys.readouterr().out
    search = ['search_gallery.py', *words, '--query', words[0], '--index', tmp_path / 'i.faiss', '--k', '1']
    assert run_tool(*search) == 0
    vectors = (tmp_path / 'items.npy').read_bytes()
    for out in ('items.npy', 'items.ids.txt'):
        assert run_tool('build_index.py', words[0], tmp_path / out, *words[1:]) == 2
        assert '`out` must be another file than those of' in capsys.readouterr().err
    assert (tmp_path / 'items.npy').read_bytes() == vectors
