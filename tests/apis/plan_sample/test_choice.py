"""Ways to choose rows, against plain loops and galleries whose clusters are known."""

from __future__ import annotations

import numpy as np
import pytest

from mmfct.apis.plan_sample import METHODS, choice
from mmfct.apis.plan_sample.choice import choose_farthest, choose_rows
from mmfct.apis.plan_sample.clusters import choose_covering, share_out
from mmfct.apis.plan_sample.pool import Pool
from mmfct.retrieval import Gallery


@pytest.fixture
def make_pool(make_gallery):
    def make(embedding, *, have=(), **options) -> Pool:
        gallery = make_gallery('gallery', 'm', embedding, **options)
        return Pool.read(Gallery(gallery), np.array(sorted(f'{row:03d}.png' for row in have)))

    return make


@pytest.fixture
def clustered() -> np.ndarray:
    """60 rows around 6 far points: cluster ``row % 6``."""
    generator = np.random.default_rng(0)
    return 10 * np.eye(6)[np.arange(60) % 6] + generator.normal(scale=0.1, size=(60, 6))


@pytest.mark.parametrize('by', METHODS)
@pytest.mark.parametrize('distance', ['l2', 'cosine', 'inner'])
def test_rows_differ_and_depend_on_the_seed_alone(make_pool, clustered, by, distance):
    clustered[7] = 0
    pool = make_pool(clustered, have=[1, 2, 3], distance=distance)
    rows = choose_rows(pool, 40, by=by, seed=3)
    assert len(set(rows.tolist())) == len(rows) == 40
    assert not {1, 2, 3, 7} & set(rows.tolist())
    assert rows.tolist() == choose_rows(pool, 40, by=by, seed=3).tolist() != sorted(rows.tolist())
    if by != 'farthest':  # here it begins with what is farthest from the three
        assert rows.tolist() != choose_rows(pool, 40, by=by, seed=4).tolist()
    everything = choose_rows(pool, 56, by=by)
    assert sorted(everything.tolist()) == sorted(set(range(60)) - {1, 2, 3, 7})


@pytest.mark.parametrize(('by', 'size'), [('coverage', 12), ('farthest', 6)])
def test_every_cluster_is_covered(make_pool, clustered, by, size):
    rows = clustered[:54].repeat([1, 8] * 27, axis=0)  # 9 rows of three clusters, and 72 of the others
    pool = make_pool(rows + np.random.default_rng(1).normal(scale=0.01, size=rows.shape))
    of_row = (np.arange(54) % 6).repeat([1, 8] * 27)
    for seed in range(3):
        assert len(set(of_row[choose_rows(pool, size, by=by, seed=seed)].tolist())) == 6
    at_random = [len(set(of_row[choose_rows(pool, size, by='random', seed=seed)].tolist())) for seed in range(3)]
    assert min(at_random) < 6


def test_coverage_takes_the_row_nearest_to_each_centre(make_pool, clustered):
    rows = choose_covering(make_pool(clustered), 6, np.random.default_rng(1))
    centres = np.stack([clustered[cluster::6].mean(axis=0) for cluster in range(6)])
    expected = [int(np.linalg.norm(clustered - centre, axis=1).argmin()) for centre in centres]
    assert sorted(rows.tolist()) == sorted(expected)


def test_coverage_leaves_out_what_is_embedded(make_pool, clustered):
    pool = make_pool(clustered, have=[0, 1, 8])  # one of each of clusters 0 to 2
    for seed in range(3):
        rows = choose_covering(pool, 3, np.random.default_rng(seed))
        assert sorted((rows % 6).tolist()) == [3, 4, 5]


def test_many_rows_are_drawn_from_fewer_clusters_in_proportion(make_pool, monkeypatch):
    monkeypatch.setattr('mmfct.apis.plan_sample.clusters.MAX_CLUSTERS', 2)
    rows = np.repeat([[0.0, 1], [5, 0]], [90, 30], axis=0)
    pool = make_pool(rows + np.arange(120)[:, None] / 1e5)
    rows = choose_covering(pool, 40, np.random.default_rng(0))
    assert np.count_nonzero(rows < 90) == 30
    others = choose_covering(pool, 40, np.random.default_rng(1))
    assert set(rows.tolist()) != set(others.tolist())


@pytest.mark.parametrize(
    ('shares', 'total', 'available', 'quotas'),
    [
        ([1, 1, 1], 3, [5, 5, 5], [1, 1, 1]),
        ([1, 1, 1], 2, [5, 5, 5], [0, 1, 1]),  # the smallest one goes without
        ([1, 1, 0], 4, [5, 1, 1], [2, 1, 1]),
        ([4.5, 1.5, 3], 6, [9, 9, 9], [3, 1, 2]),
        ([9, 1, 1], 5, [2, 9, 9], [2, 1, 2]),
    ],
)
def test_shares_become_whole_numbers(shares, total, available, quotas):
    shared = share_out(np.array(shares, float), total, np.array(available), np.array([1, 2, 3]))
    assert shared.tolist() == quotas


@pytest.mark.parametrize('have', [[], [4, 11]])
def test_the_farthest_row_is_next(make_pool, clustered, have):
    pool = make_pool(clustered, have=have)
    chosen = choose_farthest(pool, 20, np.random.default_rng(0)).tolist()
    known, rest = list(have), [row for row in range(60) if row not in have]
    if not have:
        known.append(chosen[0])
        rest.remove(chosen[0])
    for row in chosen[len(known) - len(have) :]:
        distances = {one: min(np.linalg.norm(clustered[one] - clustered[other]) for other in known) for one in rest}
        assert distances[row] == pytest.approx(max(distances.values()), rel=1e-3)
        known.append(row)
        rest.remove(row)


def test_the_farthest_of_a_part_of_a_large_gallery(make_pool, clustered, monkeypatch):
    monkeypatch.setattr(choice, '_POOL_ROWS', 10)
    monkeypatch.setattr(choice, '_POOL_FACTOR', 2)
    pool = make_pool(clustered)
    rows = choose_farthest(pool, 7, np.random.default_rng(0))
    permuted = np.random.default_rng(0).permutation(60)
    assert set(rows.tolist()) <= set(permuted[:14].tolist()) and rows[0] == permuted[0]


def test_half_of_a_mixed_choice_covers_what_the_random_half_leaves(make_pool, clustered):
    pool = make_pool(clustered)
    rows = choose_rows(pool, 12, by='mixed', seed=0)
    at_random = choose_rows(pool, 6, by='random', seed=0)
    assert set(at_random.tolist()) < set(rows.tolist())
    left = set(range(6)) - set((at_random % 6).tolist())
    assert left and left <= set((rows % 6).tolist())


def test_rows_that_are_nearly_equal(make_pool):
    pool = make_pool(1 + np.arange(20)[:, None] * np.full(3, 1e-6))
    for by in METHODS:
        assert len(set(choose_rows(pool, 12, by=by).tolist())) == 12


@pytest.mark.parametrize('by', METHODS)
def test_of_equal_rows_one_is_chosen(make_pool, clustered, by):
    """Across shards; none where one of them is embedded already, and a row of zeros is no repeat."""
    rows = clustered[[*range(10), 3, 9, 3, 0]]
    rows = np.concatenate([rows, np.zeros((2, 6))])
    pool = make_pool(rows, have=[12], shard_rows=4)
    assert np.flatnonzero(pool.repeated).tolist() == [3, 10, 11, 13, 15]
    assert sorted(choose_rows(pool, 9, by=by).tolist()) == [0, 1, 2, 4, 5, 6, 7, 8, 9]
    with pytest.raises(ValueError, match=r'in \[1, 9\], .*, nor repeat the vector of another one, got 10'):
        choose_rows(pool, 10, by=by)


def test_what_cannot_be_chosen(make_pool, clustered):
    pool = make_pool(clustered, have=[0])
    with pytest.raises(ValueError, match='`by` must be one of coverage, .*, got '):
        choose_rows(pool, 3, by='best')
    for size in (0, 60):
        with pytest.raises(ValueError, match=rf'`size` must lie in \[1, 59\], .* got {size}'):
            choose_rows(pool, size, by='random')
