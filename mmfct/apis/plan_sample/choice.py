"""Ways to choose the rows of a gallery that the new model is to embed."""

from __future__ import annotations

import numpy as np

from mmfct.apis.plan_sample.clusters import choose_covering
from mmfct.apis.plan_sample.pool import Pool
from mmfct.utils.progress import Progress

METHODS = ('coverage', 'random', 'mixed', 'farthest')
# Rows among which the farthest are searched, and how many of them there are for each chosen one.
_POOL_ROWS = 50_000
_POOL_FACTOR = 4
_KNOWN_PER_BLOCK = 1024


def choose_rows(pool: Pool, size: int, *, by: str, seed: int = 0) -> np.ndarray:
    """Choose rows of a gallery.

    Args:
        pool: The gallery, and which rows not to choose.
        size: Number of rows N.
        by: ``random``; ``coverage``, see `choose_covering`; ``farthest``, see `choose_farthest`; or ``mixed``, half of
            them at random, and the others by coverage of what these leave.
        seed: Seed of all random choices.

    Returns:
        Different rows, int64 of shape (N,), in the order in which to embed them: any first part of them is a sample
        of the same kind, only smaller, for ``farthest`` exactly and otherwise roughly.

    Raises:
        ValueError: If there is no such way, or there are fewer than N rows to choose from.
    """
    if by not in METHODS:
        raise ValueError(f'`by` must be one of {", ".join(METHODS)}, got {by!r}')
    free = pool.free
    if not 1 <= size <= len(free):
        raise ValueError(
            f'`size` must lie in [1, {len(free)}], the number of items that are neither embedded already nor all '
            f'zeros, nor repeat the vector of another one, got {size}'
        )
    rng = np.random.default_rng(seed)
    if by == 'random':
        return rng.permutation(free)[:size]
    if by == 'farthest':
        return choose_farthest(pool, size, rng)
    if by == 'coverage':
        return rng.permutation(choose_covering(pool, size, rng))
    rows = rng.permutation(free)[: size // 2]
    covering = choose_covering(pool.with_embedded(rows), size - len(rows), rng)
    return rng.permutation(np.concatenate([rows, covering]))


def choose_farthest(pool: Pool, size: int, rng: np.random.Generator) -> np.ndarray:
    """Choose again and again the row that is farthest from those chosen and embedded so far (greedy k-center).

    The first one is random if nothing is embedded. The rows come from a random part of a large gallery, which is held
    in memory: 50,000 rows, or four for each one to choose.

    Args:
        pool: The gallery, and which rows not to choose.
        size: Number of rows N.
        rng: Source of random numbers.

    Returns:
        Rows of shape (N,), in the order of their choice.
    """
    rows = rng.permutation(pool.free)[: max(_POOL_ROWS, _POOL_FACTOR * size)]
    vectors = pool.vectors(rows)
    squares = np.square(vectors).sum(axis=1)
    nearest = np.full(len(rows), np.inf, np.float32)  # squared distance to the nearest one so far
    embedded = np.flatnonzero(pool.embedded & ~pool.empty)
    for start in range(0, len(embedded), _KNOWN_PER_BLOCK):
        known = pool.vectors(embedded[start : start + _KNOWN_PER_BLOCK])
        distances = np.square(known).sum(axis=1) - 2 * vectors @ known.T
        np.minimum(nearest, distances.min(axis=1) + squares, out=nearest)
    progress = Progress(size, 'items')
    chosen = np.empty(size, np.int64)
    for step in range(size):
        place = int(nearest.argmax())  # the first of the permutation, if nothing is known
        chosen[step] = rows[place]
        np.minimum(nearest, squares + squares[place] - 2 * (vectors @ vectors[place]), out=nearest)
        nearest[place] = -np.inf
        progress.advance(1)
    return chosen
