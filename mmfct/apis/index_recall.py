"""How many of the exact neighbours an index finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmfct.datasets.progress import Progress
from mmfct.retrieval import Gallery
from mmfct.retrieval.exact_search import Neighbours, prepare, row_distances, search_exact
from mmfct.retrieval.faiss_index import search_index
from mmfct.retrieval.provenance import Provenance


def index_recall(
    gallery: Gallery, index: Any, *, k: int, queries: Gallery | None = None, num_queries: int = 1000, seed: int = 0
) -> float:
    """Share of the k exact neighbours of some queries that an index finds; shows the progress of the exact search.

    Args:
        gallery: The gallery, of two rows at least.
        index: Its ``faiss.Index``.
        k: Number of neighbours.
        queries: Queries of the same model; ``None`` for rows of the gallery, which must not find themselves.
        num_queries: Number of rows that serve as queries.
        seed: Seed of their choice.
    """
    distance = Provenance.from_metadata(gallery.metadata).distance
    if queries is not None:
        rows, own = np.asarray(queries.column('embedding')), None
    else:
        number = min(num_queries, len(gallery))
        own = np.sort(np.random.default_rng(seed).choice(len(gallery), number, replace=False))
        rows = gallery.rows('embedding', own)
        k += 1
    print_log(f'Comparing {len(rows)} queries with every row', 'current')
    progress = Progress(len(rows) * len(gallery))
    exact = _without(search_exact(gallery, rows, k, distance, advance=progress.advance), own)
    found = _without(search_index(gallery, index, rows, k), own)
    return recall_of(gallery, rows, exact, found, distance)


def recall_of(gallery: Gallery, queries: np.ndarray, exact: Neighbours, found: Neighbours, distance: str) -> float:
    """Share of exact neighbours that were found; one at the same distance as the last exact neighbour counts too.

    Args:
        gallery: The gallery.
        queries: Embeddings of shape (Q, D).
        exact: Exact neighbours, (Q, K).
        found: Neighbours of the same queries by an index, (Q, K).
        distance: How they are compared.
    """
    hits = 0
    for query, limit, rows in zip(prepare(queries, distance), exact.distances[:, -1], found.rows, strict=True):
        rows = gallery.rows('embedding', rows[rows >= 0])
        # Distances of float32 vectors are no more exact than that; the cosine distance of parallel ones is no exact 0.
        limit += 1e-6 * abs(limit) + (1e-12 if distance == 'cosine' else 0)
        hits += int((row_distances(query, prepare(rows, distance), distance) <= limit).sum())
    return hits / exact.rows.size


def _without(neighbours: Neighbours, own: np.ndarray | None) -> Neighbours:
    """Leave out the row that a query is itself; where it was not found, the last neighbour."""
    if own is None:
        return neighbours
    is_own = neighbours.rows == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    return Neighbours(*(column[~is_own].reshape(len(own), -1) for column in neighbours))
