"""Exact nearest neighbours: every query is compared with every row of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.utils.distances import check_distance

_QUERIES_PER_CHUNK = 256
_ROWS_PER_BLOCK = 16384


class Neighbours(NamedTuple):
    """The K nearest rows of each of Q queries, the nearest first.

    Attributes:
        distances: float64 of shape (Q, K).
        rows: Rows of the gallery, int64 of shape (Q, K); -1, at an infinite distance, if an index found fewer.
    """

    distances: np.ndarray
    rows: np.ndarray


def search_exact(
    gallery: GallerySource,
    queries: np.ndarray,
    k: int,
    distance: str,
    *,
    hidden: np.ndarray | None = None,
    advance: Callable[[int], None] = lambda pairs: None,
) -> Neighbours:
    """Find the k nearest rows; among rows at the same distance, the first ones.

    Matrix products select candidates, with a margin for their rounding; these are ranked by distances that are
    computed row by row in float64. So equal rows are at equal distance, and the result does not depend on block sizes.
    Memory is bounded, whatever the size of the gallery.

    Args:
        gallery: A gallery with a column ``embedding`` of width D.
        queries: Embeddings of shape (Q, D).
        k: Number of neighbours; all rows if the gallery has fewer.
        distance: ``l2``, ``cosine`` or ``inner``, as in `mmfct.functional.pairwise_distances`.
        hidden: Which rows are never found, bool of shape (len(gallery),); ``None`` for none.
        advance: Called block by block with the number of compared pairs, Q x len(gallery) in total.

    Raises:
        ValueError: If ``queries`` do not fit the gallery or are not finite, ``k`` is not positive, the distance is
            unknown, or ``hidden`` does not fit the gallery.
    """
    queries = check_queries(gallery, queries, k)
    if hidden is not None:
        check_hidden(gallery, hidden)
    chunks = range(0, len(queries), _QUERIES_PER_CHUNK)
    parts = [
        _search_chunk(gallery, queries[start : start + _QUERIES_PER_CHUNK], k, distance, hidden, advance)
        for start in chunks
    ]
    return Neighbours(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def check_queries(gallery: GallerySource, queries: np.ndarray, k: int) -> np.ndarray:
    """Return the queries as an array; raise a ``ValueError`` if they or ``k`` do not fit the gallery."""
    queries = np.asarray(queries)
    width = gallery.width('embedding')
    if queries.ndim != 2 or queries.shape[1] != width or not len(queries):
        raise ValueError(f'`queries` must have shape (Q, {width}) with a row, got {queries.shape}')
    if queries.dtype.kind != 'f' or not np.isfinite(queries).all():
        raise ValueError(f'`queries` must be finite floats, got {queries.dtype} with NaN, infinite or other values')
    if k < 1:
        raise ValueError(f'`k` must be at least 1, got {k!r}')
    return queries


def check_hidden(gallery: GallerySource, hidden: np.ndarray) -> None:
    """Raise a ``ValueError`` unless ``hidden`` says of every row of a gallery whether it is hidden."""
    if hidden.dtype != bool or hidden.shape != (len(gallery),):
        raise ValueError(f'`hidden` must be bool of shape ({len(gallery)},), got {hidden.dtype} of {hidden.shape}')


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Divide rows of shape (N, D) by their 2-norms, in float64; zero rows stay zero."""
    rows = rows.astype(np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def row_distances(query: np.ndarray, rows: np.ndarray, distance: str) -> np.ndarray:
    """Return the distances (N,) of one query (D,) to rows (N, D), both as `prepare` returns them; row by row."""
    if distance == 'l2':
        return np.sqrt(np.square(rows - query).sum(axis=1))
    products = (rows * query).sum(axis=1)
    return 1 - products if distance == 'cosine' else -products


def prepare(rows: np.ndarray, distance: str) -> np.ndarray:
    """Return rows as they are compared: float64, and of unit length for cosine."""
    check_distance(distance)
    return unit_rows(rows) if distance == 'cosine' else rows.astype(np.float64)


def _search_chunk(
    gallery: GallerySource,
    queries: np.ndarray,
    k: int,
    distance: str,
    hidden: np.ndarray | None,
    advance: Callable[[int], None],
) -> Neighbours:
    queries = prepare(queries, distance)
    best = [(np.empty(0), np.empty(0, np.int64)) for _ in queries]
    for index, start, _ in gallery.shards:
        shard = gallery.shard('embedding', index)
        for offset in range(0, len(shard), _ROWS_PER_BLOCK):
            block = shard[offset : offset + _ROWS_PER_BLOCK]
            seen = np.arange(len(block))
            if hidden is not None:
                seen = np.flatnonzero(~hidden[start + offset : start + offset + len(block)])
            rows = prepare(block if hidden is None else block[seen], distance)
            for i, candidates in enumerate(_candidates(queries, rows, k, distance)) if len(seen) else ():
                distances = np.concatenate([best[i][0], row_distances(queries[i], rows[candidates], distance)])
                numbers = np.concatenate([best[i][1], seen[candidates] + start + offset])
                nearest = np.argsort(distances, kind='stable')[:k]
                best[i] = distances[nearest], numbers[nearest]
            advance(len(queries) * len(block))
    return Neighbours(*(np.stack(column) for column in zip(*best, strict=True)))


def _candidates(queries: np.ndarray, rows: np.ndarray, k: int, distance: str) -> list[np.ndarray]:
    """Return for each query the rows of a block, in order, that may be among its k nearest."""
    values = queries @ rows.T
    norms = np.linalg.norm(rows, axis=1)
    if distance == 'l2':
        values *= -2
        values += np.square(norms)
    else:
        np.negative(values, out=values)
    # More than the rounding of a sum of D products, and of the squares.
    scale = (norms.max() + np.linalg.norm(queries, axis=1)) ** 2
    tolerance = 8 * (rows.shape[1] + 8) * np.finfo(np.float64).eps * scale
    last = min(k, len(rows)) - 1
    cuts = np.partition(values, last, axis=1)[:, last] + tolerance
    return [np.flatnonzero(row <= cut) for row, cut in zip(values, cuts, strict=True)]
