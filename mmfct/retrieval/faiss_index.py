"""FAISS indexes of galleries: number n of the index is row n of the gallery."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from .exact_search import Neighbours, check_queries, unit_rows
from .gallery import Gallery
from .provenance import Provenance

_ROWS_PER_BLOCK = 16384
# FAISS returns squares, and products.
_FROM_FAISS = dict(l2=lambda squares: np.sqrt(squares.clip(min=0)), cosine=lambda x: 1 - x, inner=lambda x: -x)


def build_index(
    gallery: Gallery,
    factory: str,
    *,
    parameters: str = '',
    train_rows: int = 100_000,
    seed: int = 0,
    advance: Callable[[int], None] = lambda rows: None,
) -> Any:
    """Train an index on a sample of a gallery and add all rows, block by block.

    Distances are those of the gallery: ``l2`` and ``inner`` by FAISS' own metrics, ``cosine`` by inner products of
    unit vectors. Memory beyond the index itself holds the sample, then a block.

    Args:
        gallery: A gallery with a column ``embedding``.
        factory: FAISS' description of the index, such as ``Flat``, ``IVF1024,Flat``, ``HNSW32`` or ``PQ16``.
        parameters: Of the search, as FAISS writes them, such as ``nprobe=16`` or ``efSearch=64``; kept in the index.
        train_rows: Size of the sample; all rows where the gallery has fewer.
        seed: Seed of the sample.
        advance: Is told how many rows are added, block by block.

    Returns:
        A ``faiss.Index``.

    Raises:
        ImportError: If FAISS is not installed.
        ValueError: If FAISS refuses the description or the parameters, for this gallery or at all, or ``train_rows``
            is not positive.
    """
    faiss = faiss_module()
    if train_rows < 1:
        raise ValueError(f'`train_rows` must be at least 1, got {train_rows!r}')
    distance = Provenance.from_metadata(gallery.metadata).distance
    metric = faiss.METRIC_L2 if distance == 'l2' else faiss.METRIC_INNER_PRODUCT
    try:
        index = faiss.index_factory(gallery.width('embedding'), factory, metric)
        if not index.is_trained:
            number = min(train_rows, len(gallery))
            sample = np.sort(np.random.default_rng(seed).choice(len(gallery), number, replace=False))
            index.train(_as_compared(gallery.rows('embedding', sample), distance))
        for number, _, _ in gallery.shards:
            shard = gallery.shard('embedding', number)
            for start in range(0, len(shard), _ROWS_PER_BLOCK):
                block = shard[start : start + _ROWS_PER_BLOCK]
                index.add(_as_compared(block, distance))
                advance(len(block))
        if parameters:
            faiss.ParameterSpace().set_index_parameters(index, parameters)
    except RuntimeError as error:
        raise ValueError(
            f'`factory` and `parameters` must describe an index of {len(gallery)} vectors of width '
            f'{gallery.width("embedding")}, got {factory!r} and {parameters!r}: {error}'
        ) from error
    return index


def search_index(gallery: Gallery, index: Any, queries: np.ndarray, k: int) -> Neighbours:
    """Find about the k nearest rows by an index of the gallery.

    Args:
        gallery: The gallery.
        index: Its index, from `build_index` or `read_index`.
        queries: Embeddings of shape (Q, D).
        k: Number of neighbours; all rows where the gallery has fewer.

    Raises:
        ValueError: If ``queries`` do not fit the gallery or are not finite, or ``k`` is not positive.
    """
    queries = check_queries(gallery, queries, k)
    distance = Provenance.from_metadata(gallery.metadata).distance
    values, rows = index.search(_as_compared(queries, distance), min(k, len(gallery)))
    distances = _FROM_FAISS[distance](values.astype(np.float64))
    return Neighbours(np.where(rows < 0, np.inf, distances), rows.astype(np.int64))


def is_quantised(index: Any) -> bool:
    """Whether an index keeps less than the float32 values of its vectors, so that they cannot be read back."""
    index = faiss_module().downcast_index(index)
    inner = getattr(index, 'storage', None)  # of graphs
    if inner is not None:
        return is_quantised(inner)
    try:
        return index.sa_code_size() < 4 * index.d
    except RuntimeError:  # a kind that cannot say
        return True


def _as_compared(rows: np.ndarray, distance: str) -> np.ndarray:
    return np.ascontiguousarray(unit_rows(rows) if distance == 'cosine' else rows, np.float32)


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
