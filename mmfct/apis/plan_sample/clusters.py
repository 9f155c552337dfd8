"""Choose rows that cover a gallery, by k-means."""

from __future__ import annotations

import warnings

import numpy as np
from mmengine.logging import print_log

from mmfct.apis.plan_sample.pool import Pool
from mmfct.utils.progress import Progress

# With more clusters, the assignment of millions of rows takes too long.
MAX_CLUSTERS = 2048
_FIT_ROWS = 50_000
_ITERATIONS = 20
_SEEDING_FACTOR = 4


def choose_covering(pool: Pool, size: int, rng: np.random.Generator) -> np.ndarray:
    """Choose the row nearest to each centre of k-means, with as many clusters as there are rows to choose.

    Rows that are embedded already stand for a cluster each. If all of these are more than 2,048, there are 2,048
    clusters, and the rows are drawn from them at random, in proportion to their sizes. The centres of a large gallery
    are those of 50,000 random rows; every row is assigned to its centre.

    Args:
        pool: The gallery, and which rows not to choose.
        size: Number of rows N.
        rng: Source of random numbers.

    Returns:
        Rows, int64 of shape (N,).
    """
    usable = ~pool.empty
    wanted = size + int(np.count_nonzero(pool.embedded & usable))
    number = min(wanted, MAX_CLUSTERS)
    clusters, distances = _cluster(pool, number, rng)
    sizes = np.bincount(clusters[usable], minlength=number)
    embedded = np.bincount(clusters[pool.embedded & usable], minlength=number)
    shares = np.ones(number) if number == wanted else wanted * sizes / sizes.sum()
    free = pool.free
    available = np.bincount(clusters[free], minlength=number)
    quotas = share_out(np.maximum(shares - embedded, 0), size, available, sizes)
    keys = rng.random(len(free))
    nearest_first = quotas[clusters[free]] == 1
    keys[nearest_first] = distances[free][nearest_first]
    order = np.lexsort((keys, clusters[free]))
    starts = np.cumsum(available) - available
    place = np.arange(len(free)) - starts[clusters[free][order]]
    return free[order[place < quotas[clusters[free][order]]]]


def share_out(shares: np.ndarray, total: int, available: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Round shares to whole numbers of a given sum; the larger cluster comes first where there is a choice.

    Args:
        shares: What each of K clusters should have, up to a common factor, at least 0, of shape (K,).
        total: The sum N.
        available: The most that each can have, int64 of shape (K,), N or more together.
        sizes: Number of rows of each, int64 of shape (K,).

    Returns:
        Numbers of shape (K,), int64.
    """
    shares = np.minimum(shares, available)
    if shares.sum() > total:
        shares *= total / shares.sum()
    quotas = np.floor(shares + 1e-9).astype(np.int64)
    rests = shares - quotas
    while (missing := total - int(quotas.sum())) > 0:
        open_ones = np.flatnonzero(quotas < available)
        first = np.lexsort((-sizes[open_ones], -rests[open_ones].round(9)))[:missing]
        quotas[open_ones[first]] += 1
        rests[open_ones[first]] = 0
    return quotas


def _cluster(pool: Pool, number: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the cluster of each row, int64 of shape (G,), and its squared distance to the centre."""
    from sklearn.cluster import KMeans, kmeans_plusplus
    from sklearn.exceptions import ConvergenceWarning

    rows = np.flatnonzero(~pool.empty)
    if len(rows) > (most := max(_FIT_ROWS, number)):
        rows = np.sort(rng.choice(rows, most, replace=False))
    print_log(f'k-means: {number} clusters of {len(rows)} rows', 'current')
    vectors = pool.vectors(rows)
    seed = int(rng.integers(2**31))
    # The first centres come from a part of the rows, and one at a time: k-means++ of all takes longer than the rest.
    seeding = vectors[rng.permutation(len(vectors))[: _SEEDING_FACTOR * number]]
    centres, _ = kmeans_plusplus(seeding, number, n_local_trials=1, random_state=seed)
    kmeans = KMeans(number, init=centres, n_init=1, max_iter=_ITERATIONS, random_state=seed)
    with warnings.catch_warnings():
        # Of rows that are equal: clusters stay empty, and others get more rows.
        warnings.simplefilter('ignore', ConvergenceWarning)
        kmeans.fit(vectors)
    clusters, distances = np.empty(len(pool.source), np.int64), np.empty(len(pool.source), np.float32)
    progress = Progress(len(clusters))
    for start, block in pool.blocks():
        part = slice(start, start + len(block))
        clusters[part] = kmeans.predict(block)
        distances[part] = np.square(block - kmeans.cluster_centers_[clusters[part]]).sum(axis=1)
        progress.advance(len(block))
    return clusters, distances
