"""Nearest neighbours of embeddings in a gallery, with their ids, labels and distances."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.apis.search_gallery.adapted import Adapted
from mmfct.evaluation.class_names import class_folders
from mmfct.functional.retrieval_scores import UNKNOWN
from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance, check_same_model
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.index.exact import search_exact
from mmfct.retrieval.index.faiss_index import search_index
from mmfct.retrieval.index.file import read_index
from mmfct.utils.progress import Progress
from mmfct.utils.tables import markdown_table

_SAMPLE = 10_000


@dataclass(frozen=True)
class Found:
    """Neighbours of Q queries, the nearest first; an index may find fewer than were asked for.

    Args:
        queries: Names of the queries.
        ids: Ids of the neighbours of each query.
        labels: Their labels; ``None`` where the gallery has none.
        distances: Their distances.
        query_labels: Labels of the queries; ``None`` where they have none.
        class_names: Label -> name of the class, where names are known.
        upgraded: Whether each neighbour was found among upgraded items; ``None`` without an adapter of queries.
    """

    queries: list[str]
    ids: list[list[str]]
    labels: list[list[int]] | None
    distances: list[list[float]]
    query_labels: list[int] | None = None
    class_names: Mapping[int, str] = field(default_factory=dict)
    upgraded: list[list[bool]] | None = None

    def class_of(self, label: int) -> str:
        """Return the name of a class, or its number."""
        return 'unknown' if label == UNKNOWN else self.class_names.get(label, str(label))

    def is_right(self, query: int, place: int) -> bool | None:
        """Whether a neighbour has the class of its query; ``None`` if one of the two is not known."""
        if self.labels is None or self.query_labels is None:
            return None
        labels = self.query_labels[query], self.labels[query][place]
        return None if UNKNOWN in labels else labels[0] == labels[1]

    def table(self, num_queries: int | None = None) -> str:
        """Markdown table with a row for each neighbour.

        Args:
            num_queries: Number of queries to show, the first ones; ``None`` for all.
        """
        header = ['query', 'rank', 'id', *(['label'] if self.labels is not None else []), 'distance']
        header += [] if self.upgraded is None else ['found by']
        rows = [header]
        for query, (name, ids) in enumerate(zip(self.queries[:num_queries], self.ids[:num_queries], strict=True)):
            for place, neighbour in enumerate(ids):
                label = [] if self.labels is None else [self.class_of(self.labels[query][place])]
                distance = f'{self.distances[query][place]:.6g}'
                row = [name if place == 0 else '', str(place + 1), neighbour, *label, distance]
                if self.upgraded is not None:
                    row.append('upgraded item' if self.upgraded[query][place] else 'adapter')
                rows.append(row)
        return markdown_table(rows)

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON: an entry for each query."""
        labels: Sequence[list[int] | None] = self.labels or [None] * len(self.queries)
        columns = zip(self.queries, self.ids, labels, self.distances, strict=True)
        found: list[dict[str, Any]] = [
            dict(query=query, ids=ids, labels=label, distances=away) for query, ids, label, away in columns
        ]
        if self.upgraded is not None:
            for entry, upgraded in zip(found, self.upgraded, strict=True):
                entry['upgraded'] = upgraded
        return found


def find_neighbours(
    gallery: GallerySource,
    queries: np.ndarray,
    model: ModelIdentity,
    *,
    names: Sequence[str],
    labels: Sequence[int] | None = None,
    k: int = 5,
    index: str | Path | None = None,
    adapted: Adapted | None = None,
) -> Found:
    """Find the neighbours of queries by the distance of the gallery.

    Args:
        gallery: The gallery.
        queries: Embeddings of shape (Q, D).
        model: The model that made them.
        names: Names of the queries.
        labels: Labels of the queries, if there are any.
        k: Number of neighbours.
        index: File of a FAISS index of the gallery; ``None`` for an exact search.
        adapted: Search through an adapter, opened with that index; ``None`` for queries of the gallery's own model.

    Raises:
        FileNotFoundError: If the index is missing.
        ImportError: If an index is given and FAISS is not installed.
        ValueError: If the queries come from another model than the gallery or do not fit it, or the index is that of
            another gallery.
    """
    if adapted is not None:
        return _find_adapted(adapted, queries, model, names=names, labels=labels, k=k)
    provenance = Provenance.from_metadata(gallery.metadata)
    check_same_model(model, provenance)
    if index is None:
        progress = Progress(len(queries) * len(gallery), 'pairs')
        neighbours = search_exact(gallery, queries, k, provenance.distance, advance=progress.advance)
    else:
        neighbours = search_index(gallery, read_index(index, gallery), queries, k)
    rows = [found[found >= 0] for found in neighbours.rows]
    labelled = 'label' in gallery.columns
    return Found(
        list(names),
        [gallery.rows('id', found).tolist() for found in rows],
        [gallery.rows('label', found).tolist() for found in rows] if labelled else None,
        [[value for value in distances if value < math.inf] for distances in neighbours.distances.tolist()],
        None if labels is None else list(labels),
        _class_names(gallery, rows) if labelled else {},
    )


def _find_adapted(
    adapted: Adapted,
    queries: np.ndarray,
    model: ModelIdentity,
    *,
    names: Sequence[str],
    labels: Sequence[int] | None,
    k: int,
) -> Found:
    adapted.check_model(model)
    found = adapted.find(queries, k)
    lines = [(rows[rows >= 0], direct[rows >= 0]) for rows, direct in zip(found.rows, found.upgraded, strict=True)]
    found_labels = [adapted.labels(*line) for line in lines]
    known = [line for line in found_labels if line is not None]
    gallery = adapted.gallery
    return Found(
        list(names),
        [adapted.ids(*line) for line in lines],
        known if len(known) == len(lines) else None,
        [[value for value in distances if value < math.inf] for distances in found.distances.tolist()],
        None if labels is None else list(labels),
        _class_names(gallery, [rows[~direct] for rows, direct in lines]) if 'label' in gallery.columns else {},
        [direct.tolist() for _, direct in lines],
    )


def _class_names(gallery: GallerySource, found: list[np.ndarray]) -> dict[int, str]:
    """Return the names of classes that the gallery has, or that the paths of its items show.

    Paths are those of the rows that were found and of a sample: a gallery may not fit into memory.
    """
    if names := label_names(gallery.metadata):
        return names
    sample = np.linspace(0, len(gallery) - 1, min(len(gallery), _SAMPLE)).astype(np.int64)
    rows = np.unique(np.concatenate([sample, *found]))
    return class_folders(gallery.rows('id', rows).tolist(), gallery.rows('label', rows).tolist())
