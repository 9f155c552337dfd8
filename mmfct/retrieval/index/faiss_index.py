"""Approximate nearest neighbours by FAISS; vector n of an index is row n of its gallery."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.index.exact import Neighbours, check_hidden, check_queries, unit_rows

_ROWS_PER_BLOCK = 16384
# Rows of zeros have no angle: they are placed so far from the unit vectors that all rows with an angle come first.
_LENGTH_OF_ZERO = 4.0
_FARTHEST = 2.0  # cosine distance of opposite vectors


def build_index(
    gallery: GallerySource,
    factory: str,
    *,
    parameters: str = '',
    train_rows: int = 100_000,
    seed: int = 0,
    advance: Callable[[int], None] = lambda rows: None,
) -> Any:
    """Train an index on a sample of a gallery and add all rows, block by block.

    The distance is that of the gallery: ``l2`` and ``inner`` are metrics of FAISS; ``cosine`` is L2 of unit vectors,
    because float32 products near 1 do not tell close vectors apart. Beyond the index itself, memory holds the sample
    or one block.

    Args:
        gallery: A gallery with a column ``embedding``.
        factory: Factory string of FAISS, such as ``Flat``, ``IVF1024,Flat``, ``HNSW32`` or ``PQ16``.
        parameters: Search parameters in FAISS' notation, such as ``nprobe=16`` or ``efSearch=64``.
        train_rows: Size of the sample; all rows if the gallery has fewer.
        seed: Seed of the sample.
        advance: Called block by block with the number of rows that were added.

    Returns:
        A ``faiss.Index``.

    Raises:
        ImportError: If FAISS is not installed.
        ValueError: If FAISS refuses the factory string or the parameters, for this gallery or at all, or
            ``train_rows`` is not positive.
    """
    faiss = faiss_module()
    if train_rows < 1:
        raise ValueError(f'`train_rows` must be at least 1, got {train_rows!r}')
    check_parameters(parameters)
    distance = Provenance.from_metadata(gallery.metadata).distance
    metric = faiss.METRIC_INNER_PRODUCT if distance == 'inner' else faiss.METRIC_L2
    try:
        index = faiss.index_factory(gallery.width('embedding'), factory, metric)
        set_parameters(index, parameters)  # what FAISS refuses, it refuses before the training
        if not index.is_trained:
            number = min(train_rows, len(gallery))
            sample = np.sort(np.random.default_rng(seed).choice(len(gallery), number, replace=False))
            index.train(_as_compared(gallery.rows('embedding', sample), distance))
        index.search(np.zeros((1, index.d), np.float32), 1)  # some values are refused only now
        for number, _, _ in gallery.shards:
            shard = gallery.shard('embedding', number)
            for start in range(0, len(shard), _ROWS_PER_BLOCK):
                block = shard[start : start + _ROWS_PER_BLOCK]
                index.add(_as_compared(block, distance))
                advance(len(block))
    except RuntimeError as error:
        raise ValueError(
            f'`factory` and `parameters` must describe an index of {len(gallery)} vectors of width '
            f'{gallery.width("embedding")}, got {factory!r} and {parameters!r}: {error}'
        ) from error
    return index


def search_index(
    gallery: GallerySource, index: Any, queries: np.ndarray, k: int, *, hidden: np.ndarray | None = None
) -> Neighbours:
    """Find the k nearest rows, approximately, by an index of the gallery.

    Args:
        gallery: The gallery.
        index: Its index, from `build_index` or `read_index`.
        queries: Embeddings of shape (Q, D).
        k: Number of neighbours; all rows if the gallery has fewer.
        hidden: See `search_exact`. The index is asked for more rows until enough are left, so that the more rows are
            hidden, the longer it takes.

    Raises:
        ValueError: If ``queries`` do not fit the gallery or are not finite, ``k`` is not positive, or ``hidden`` does
            not fit the gallery.
    """
    queries = check_queries(gallery, queries, k)
    if hidden is None:
        return _search(gallery, index, queries, min(k, len(gallery)))
    check_hidden(gallery, hidden)
    number = len(hidden)
    wanted = min(number, 2 * k * number // max(1, number - int(hidden.sum())) + 1)
    while True:
        found = _search(gallery, index, queries, wanted)
        seen = (found.rows >= 0) & ~hidden[found.rows]
        full = (found.rows >= 0).all(axis=1)  # an index that returns fewer than it was asked for has no more
        if wanted == number or not (full & (seen.sum(axis=1) < k)).any():
            break
        wanted = min(number, 2 * wanted)
    order = np.argsort(~seen, axis=1, kind='stable')[:, :k]
    distances, rows, kept = (np.take_along_axis(values, order, axis=1) for values in (*found, seen))
    return Neighbours(np.where(kept, distances, np.inf), np.where(kept, rows, -1))


def _search(gallery: GallerySource, index: Any, queries: np.ndarray, k: int) -> Neighbours:
    distance = Provenance.from_metadata(gallery.metadata).distance
    values, rows = index.search(_as_compared(queries, distance), k)
    distances = np.where(rows < 0, np.inf, _distances(values.astype(np.float64), distance))
    rows = rows.astype(np.int64)
    if distance == 'cosine':
        distances[~queries.any(axis=1)] = 1
        order = np.argsort(distances, axis=1, kind='stable')  # rows of zeros came last
        distances, rows = (np.take_along_axis(values, order, axis=1) for values in (distances, rows))
    return Neighbours(distances, rows)


def check_parameters(parameters: str) -> None:
    """Raise a ``ValueError`` for numbers of lists or nodes to visit that FAISS takes, but cannot search with.

    FAISS finds nothing or stops at 0 and below, and cuts fractions.
    """
    for entry in parameters.split(','):
        name, _, value = entry.strip().partition('=')
        if name.endswith(('nprobe', 'efSearch')) and not (value.isdecimal() and int(value) > 0):
            raise ValueError(f'`parameters` must give {name} a whole number from 1, got {entry.strip()!r}')


def set_parameters(index: Any, parameters: str) -> None:
    """Set search parameters such as ``nprobe=16``; FAISS raises a ``RuntimeError`` for unknown ones."""
    if parameters:
        faiss_module().ParameterSpace().set_index_parameters(index, parameters)


def is_quantised(index: Any) -> bool:
    """Whether an index keeps less than the float32 values of its vectors, which then cannot be read back."""
    index = faiss_module().downcast_index(index)
    inner = getattr(index, 'storage', None)  # of graphs
    if inner is not None:
        return is_quantised(inner)
    try:
        return index.sa_code_size() < 4 * index.d
    except RuntimeError:  # not every kind of index knows
        return True


def faiss_module() -> ModuleType:
    """Import FAISS.

    Raises:
        ImportError: If it is not installed.
    """
    try:
        import faiss
    except ImportError as error:
        raise ImportError("indexes need FAISS; install it with `pip install 'mmfct[faiss]'`") from error
    return faiss


def _as_compared(rows: np.ndarray, distance: str) -> np.ndarray:
    if distance == 'cosine':
        rows = unit_rows(rows)
        rows[~rows.any(axis=1), 0] = _LENGTH_OF_ZERO
    return np.ascontiguousarray(rows, np.float32)


def _distances(values: np.ndarray, distance: str) -> np.ndarray:
    """Convert what FAISS returns, squared distances or inner products, to distances."""
    if distance == 'inner':
        return -values
    squares = values.clip(min=0)
    if distance == 'l2':
        return np.sqrt(squares)
    return np.where(squares / 2 > 2 * _FARTHEST, 1.0, squares / 2)
