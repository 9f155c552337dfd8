"""Build the FAISS index of a gallery and measure how many neighbours it misses."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmfct.retrieval.gallery.provenance import Provenance, check_same_distance, check_same_model
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.index.exact import Neighbours, prepare, row_distances, search_exact
from mmfct.retrieval.index.faiss_index import build_index, is_quantised, search_index
from mmfct.retrieval.index.file import check_index_path, read_index, write_index
from mmfct.retrieval.stores.address import belongs_to
from mmfct.retrieval.stores.loaded import open_checked
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.utils.progress import Progress


@dataclass(frozen=True)
class IndexOptions:
    """How an index is built, and how its recall is measured.

    Args:
        factory: Factory string of FAISS.
        parameters: Search parameters such as ``nprobe=16``; kept beside the index.
        train_rows: Rows that the index is trained on.
        k: Number of neighbours for the recall.
        num_queries: Rows of the gallery that serve as queries if no others are given; 0 to measure nothing.
        seed: Seed of both samples.

    Raises:
        ValueError: If ``k`` is not positive or ``num_queries`` is negative.
    """

    factory: str = 'Flat'
    parameters: str = ''
    train_rows: int = 100_000
    k: int = 10
    num_queries: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f'`k` must be at least 1, got {self.k!r}')
        if self.num_queries < 0:
            raise ValueError(f'`num_queries` must be at least 0, got {self.num_queries!r}')


def index_gallery(
    path: str | Path,
    out: str | Path,
    options: IndexOptions | None = None,
    *,
    query: str | Path | None = None,
    source_options: SourceOptions | None = None,
) -> float | None:
    """Build an index, write it with its notes, and print its recall.

    Args:
        path: Folder of the gallery; or anything else that `open_source` opens, which is read into memory.
        out: File of the index; ``<out>.json`` beside it says which gallery and model it belongs to.
        options: Options of the index and of the recall.
        query: Embedding set of the same model likewise, the queries for the recall; ``None`` for rows of the
            gallery, which must not find themselves.
        source_options: How to read vectors of another program, of both.

    Returns:
        Share of the k exact neighbours that the index finds; ``None`` if it is not measured.

    Raises:
        FileNotFoundError: If a gallery is missing.
        ImportError: If FAISS is not installed.
        IsADirectoryError: If ``out`` is a folder.
        ValueError: If FAISS refuses the factory string, ``out`` is one of the sources, or the queries come from
            another model or have another distance.
    """
    options = options or IndexOptions()
    check_index_path(out)
    for source in (path, *(() if query is None else (query,))):
        if not Path(source).is_dir() and belongs_to(out, source):
            raise ValueError(f'`out` must be another file than those of {source}, got {str(out)!r}; name another')
    gallery = open_checked(path, source_options)
    provenance = Provenance.from_metadata(gallery.metadata)
    queries = None
    if query is not None:
        queries = open_checked(query, source_options)
        made_by = Provenance.from_metadata(queries.metadata)
        check_same_model(made_by.embedding, provenance)
        check_same_distance('queries', made_by, provenance)
    print_log(f'Adding {len(gallery)} rows to the index', 'current')
    index = build_index(
        gallery,
        options.factory,
        parameters=options.parameters,
        train_rows=options.train_rows,
        seed=options.seed,
        advance=Progress(len(gallery)).advance,
    )
    write_index(index, out, gallery, options.factory, options.parameters)
    print_log(f'{out}: {options.factory} of {len(gallery)} vectors, {provenance.embedding}', 'current')
    if is_quantised(index):
        print_log(
            f'{options.factory} keeps quantised vectors: to upgrade to a new model, upgrade the gallery '
            f'({path}) and build the index again; never upgrade what is read back from the index',
            'current',
            logging.WARNING,
        )
    if queries is None and (not options.num_queries or len(gallery) < 2):
        return None
    del index  # measure what is read from the file
    index = read_index(out, gallery)
    recall = index_recall(
        gallery, index, k=options.k, queries=queries, num_queries=options.num_queries, seed=options.seed
    )
    print_log(f'recall@{options.k} against exact search: {100 * recall:.2f} %', 'current')
    return recall


def index_recall(
    gallery: GallerySource,
    index: Any,
    *,
    k: int,
    queries: GallerySource | None = None,
    num_queries: int = 1000,
    seed: int = 0,
) -> float:
    """Measure the share of the k exact neighbours that an index finds, with a progress bar of the exact search.

    Args:
        gallery: The gallery, with at least two rows.
        index: Its ``faiss.Index``.
        k: Number of neighbours.
        queries: Queries of the same model; ``None`` for rows of the gallery, which must not find themselves.
        num_queries: Number of rows that serve as queries.
        seed: Seed for choosing them.
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
    progress = Progress(len(rows) * len(gallery), 'pairs')
    exact = _without(search_exact(gallery, rows, k, distance, advance=progress.advance), own)
    found = _without(search_index(gallery, index, rows, k), own)
    return recall_of(gallery, rows, exact, found, distance)


def recall_of(
    gallery: GallerySource, queries: np.ndarray, exact: Neighbours, found: Neighbours, distance: str
) -> float:
    """Return the share of exact neighbours that were found; rows as near as the last exact neighbour count too.

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
        # The precision of distances of float32 vectors; the cosine distance of parallel ones is not exactly 0.
        limit += 1e-6 * abs(limit) + (1e-12 if distance == 'cosine' else 0)
        hits += int((row_distances(query, prepare(rows, distance), distance) <= limit).sum())
    return hits / exact.rows.size


def _without(neighbours: Neighbours, own: np.ndarray | None) -> Neighbours:
    """Leave out the row that is the query itself, or the last neighbour if that row was not found."""
    if own is None:
        return neighbours
    is_own = neighbours.rows == own[:, None]
    is_own[~is_own.any(axis=1), -1] = True
    return Neighbours(*(column[~is_own].reshape(len(own), -1) for column in neighbours))
