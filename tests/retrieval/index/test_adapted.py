"""A gallery of which none, a part or all is upgraded, searched by queries of the new model."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch

from mmfct.retrieval import Gallery
from mmfct.retrieval.gallery.provenance import ModelIdentity
from mmfct.retrieval.index.adapted import AdaptedSearch
from mmfct.retrieval.index.exact import search_exact
from mmfct.retrieval.index.faiss_index import build_index
from mmfct.retrieval.transform.apply import Transform
from mmfct.retrieval.transform.file import TransformDescription, write_network
from mmfct.retrieval.transform.network import Stack, Term, TransformNetwork
from mmfct.retrieval.transform.profile import InputProfile

WIDTH, ITEMS = 8, 200
SCALE = 3.0  # of the old space
IDS = np.array([f'{row:03d}.png' for row in range(ITEMS)])


def model(name: str) -> ModelIdentity:
    return ModelIdentity(name, hashlib.sha256(name.encode()).hexdigest())


@pytest.fixture
def space():
    """New vectors of the items, a rotation, and queries."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
    return rng.standard_normal((ITEMS, WIDTH)), rotation, rng.standard_normal((7, WIDTH)).astype(np.float32)


@pytest.fixture
def make_adapter(tmp_path, space):
    """Write an adapter that is right: the rotation into the old space, and its scale."""

    def make(**changes) -> Transform:
        matrix = torch.from_numpy(SCALE * space[1])
        network = TransformNetwork.affine(matrix, torch.zeros(WIDTH, dtype=torch.float64))
        described = dict(
            old=model('new'), new=model('old'), side=None, old_dims=WIDTH, side_dims=WIDTH, new_dims=WIDTH
        )
        profile = InputProfile.of(torch.from_numpy(space[0]).float(), unit=False)
        described |= dict(training=dict(direction='query')) | changes
        write_network(tmp_path / 'a.safetensors', network, TransformDescription(**described), dict(old=profile))
        return Transform(tmp_path / 'a.safetensors')

    return make


@pytest.fixture
def galleries(make_gallery, space):
    """Function that makes the old gallery and one with some of its items in the new space."""

    def make(chosen, distance='l2'):
        new, rotation, _ = space
        old = Gallery(make_gallery('old', 'old', SCALE * new @ rotation, distance=distance, shard_rows=70))
        if not len(chosen):
            return old, None
        upgraded = make_gallery('part', 'new', new[chosen], distance=distance, shard_rows=30, id=IDS[chosen])
        return old, Gallery(upgraded)

    return make


def chosen_rows(kind):
    """Rows that are upgraded: some at random, those of the first items alone, none, or all."""
    order = np.random.default_rng(3).permutation(ITEMS)
    return dict(random=order[:90], first=np.arange(60), none=order[:0], all=order)[kind]


def found_ids(found, old, upgraded):
    return [
        [str((upgraded if direct else old).rows('id', np.array([row]))[0]) for row, direct in zip(*line, strict=True)]
        for line in zip(found.rows, found.upgraded, strict=True)
    ]


@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
@pytest.mark.parametrize('kind', ['random', 'first', 'none', 'all'])
def test_with_an_exact_adapter_it_is_the_search_of_the_new_gallery(
    make_adapter, galleries, make_gallery, space, kind, distance
):
    new, _, queries = space
    rows = chosen_rows(kind)
    old, upgraded = galleries(rows, distance)
    right = search_exact(Gallery(make_gallery('new', 'new', new)), queries, 12, distance)
    search = AdaptedSearch(old, make_adapter(), upgraded)
    found = search.search(queries, 12)
    assert found_ids(found, old, upgraded) == IDS[right.rows].tolist()
    assert search.num_hidden == len(rows)
    assert np.array_equal(found.upgraded, np.isin(right.rows, rows))
    if len(rows):
        assert found.distances == pytest.approx(right.distances, abs=1e-5)


def test_items_that_are_hidden_are_never_found_by_the_adapter(make_adapter, galleries, space):
    rows = chosen_rows('random')
    old, upgraded = galleries(rows)
    found = AdaptedSearch(old, make_adapter(), upgraded).search(space[2], ITEMS)
    ids = found_ids(found, old, upgraded)
    assert all(sorted(line) == sorted(IDS) for line in ids)
    assert found.rows.shape == (7, ITEMS)


@pytest.mark.parametrize('factory', ['Flat', 'HNSW16', 'IVF4,Flat'])
def test_indexes(make_adapter, galleries, space, factory):
    pytest.importorskip('faiss')
    old, upgraded = galleries(chosen_rows('random'))
    parameters = 'nprobe=4' if 'IVF' in factory else ''
    indexes = dict(
        index=build_index(old, factory, parameters=parameters),
        upgraded_index=build_index(upgraded, factory, parameters=parameters),
    )
    exact = AdaptedSearch(old, make_adapter(), upgraded).search(space[2], 9)
    found = AdaptedSearch(old, make_adapter(), upgraded, **indexes).search(space[2], 9)
    assert np.array_equal(found.rows, exact.rows) and np.array_equal(found.upgraded, exact.upgraded)
    assert found.distances == pytest.approx(exact.distances, abs=1e-4)


def test_an_index_without_enough_visible_rows(make_adapter, galleries, space):
    pytest.importorskip('faiss')
    old, upgraded = galleries(np.arange(ITEMS - 2))
    index = build_index(old, 'IVF64,Flat', parameters='nprobe=1')
    found = AdaptedSearch(old, make_adapter(), upgraded, index=index).search(space[2], ITEMS)
    assert np.isfinite(found.distances[:, : ITEMS - 2]).all()
    assert (found.rows[np.isinf(found.distances)] == -1).all() and np.isinf(found.distances).any()


def test_items_that_only_the_upgraded_part_has(make_adapter, galleries, make_gallery, space):
    new, rotation, queries = space
    old = Gallery(make_gallery('less', 'old', SCALE * new[:150] @ rotation, id=IDS[:150]))
    _, upgraded = galleries(np.arange(80, ITEMS))
    right = search_exact(Gallery(make_gallery('new', 'new', new)), queries, 12, 'l2')
    search = AdaptedSearch(old, make_adapter(), upgraded)
    assert found_ids(search.search(queries, 12), old, upgraded) == IDS[right.rows].tolist()
    assert search.num_hidden == 70


@pytest.mark.parametrize('kind', ['random', 'none', 'all'])
def test_progress_counts_all_pairs(make_adapter, galleries, space, kind):
    rows, pairs = chosen_rows(kind), []
    old, upgraded = galleries(rows)
    AdaptedSearch(old, make_adapter(), upgraded).search(space[2], 3, advance=pairs.append)
    assert sum(pairs) == 7 * (ITEMS + len(rows))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(new=model('other')), r'into the space of the gallery, old .*, got .* from new .* to other'),
        (dict(training={}), 'must map queries, got .* which upgrades galleries, .* one with .*--direction query'),
        (dict(distance='cosine'), 'for the distance of the gallery, l2, got .* for cosine; .*--distance l2'),
        (dict(old=model('newer')), 'in the space of the queries that the adapter maps, newer .*, got new'),
    ],
)
def test_adapters_that_do_not_fit(make_adapter, galleries, changes, message):
    old, upgraded = galleries(chosen_rows('random'))
    with pytest.raises(ValueError, match=message):
        AdaptedSearch(old, make_adapter(**changes), upgraded)


def test_other_widths(make_adapter, make_gallery, galleries):
    narrow = Gallery(make_gallery('narrow', 'old', np.eye(5)))
    with pytest.raises(ValueError, match='to the width 5 of the gallery, got 8'):
        AdaptedSearch(narrow, make_adapter())
    old, _ = galleries([])
    with pytest.raises(ValueError, match='must have the width of the queries, 8, got 5'):
        AdaptedSearch(old, make_adapter(), Gallery(make_gallery('part', 'new', np.eye(5))))


def test_an_adapter_with_side_information(tmp_path, galleries):
    stack = Stack()
    network = TransformNetwork(
        [Term(None, stack, TransformNetwork.affine(torch.eye(16)[:, :8], torch.zeros(8)).summands[0].mixer)]
    )
    models, training = map(model, ('new', 'old', 'side')), dict(direction='query')
    described = TransformDescription(*models, WIDTH, WIDTH, WIDTH, training)
    write_network(tmp_path / 'a.safetensors', network, described)
    with pytest.raises(ValueError, match='an adapter must map queries alone, got .* which needs side'):
        AdaptedSearch(galleries([])[0], Transform(tmp_path / 'a.safetensors'))


def test_ids_of_other_items_or_too_few(make_adapter, galleries, make_gallery, space):
    old, _ = galleries([])

    def part(name, rows, ids):
        return Gallery(make_gallery(name, 'new', space[0][rows], id=ids))

    with pytest.raises(ValueError, match='must hold upgraded items of .* got none of its ids: they are such as'):
        AdaptedSearch(old, make_adapter(), part('a', slice(60), [f'x{row}' for row in range(60)]))
    with pytest.raises(ValueError, match="must have every id once, got '001.png' several times"):
        AdaptedSearch(old, make_adapter(), part('b', slice(3), ['001.png', '000.png', '001.png']))
    with pytest.raises(ValueError, match='at least 50 upgraded items must be in the old gallery .*, got 49'):
        AdaptedSearch(old, make_adapter(), part('c', slice(49), IDS[:49]))
    with pytest.raises(ValueError, match='ids must mean the same items in'):
        AdaptedSearch(old, make_adapter(), part('d', slice(100), IDS[:100][::-1]))
    with pytest.raises(ValueError, match='ids must mean the same items in'):  # also where the adapter finds nothing
        AdaptedSearch(old, make_adapter(), part('f', slice(None), IDS[::-1]))
    AdaptedSearch(old, make_adapter(), part('e', slice(50), IDS[:50]))


def test_rows_of_zeros_are_not_compared_by(make_adapter, galleries, make_gallery, space):
    old, _ = galleries([])
    rows = space[0][:54].copy()
    rows[:5] = 0
    with pytest.raises(ValueError, match='got 49 in .* that are not zero'):
        AdaptedSearch(old, make_adapter(), Gallery(make_gallery('part', 'new', rows)))


@pytest.mark.parametrize(
    ('queries', 'k', 'message'),
    [
        (np.zeros((2, 5), np.float32), 1, r'must be floats of shape \(Q, 8\) with a row, got float32 of \(2, 5\)'),
        (np.zeros((0, 8)), 1, 'must be floats of shape'),
        (np.zeros((1, 8), int), 1, 'must be floats of shape'),
        (np.full((1, 8), np.nan), 1, '`queries` must be finite'),
        (np.ones((1, 8)), 0, '`k` must be at least 1'),
        (np.full((3, 8), 1000.0), 1, 'the embeddings of the queries, which .* transforms, have lengths around'),
    ],
)
def test_bad_queries(make_adapter, galleries, queries, k, message):
    with pytest.raises(ValueError, match=message):
        AdaptedSearch(galleries([])[0], make_adapter()).search(queries, k)
