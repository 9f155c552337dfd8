"""Search a gallery by queries of a newer model, while none, a part or all of its items are upgraded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from mmfct.functional.own_rank import LEAST_PAIRS
from mmfct.retrieval.gallery.provenance import ModelIdentity, Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.index.adapter_checks import (
    check_adapter,
    check_enough_items,
    check_same_items,
    check_upgraded,
)
from mmfct.retrieval.index.calibration import match_distances
from mmfct.retrieval.index.exact import Neighbours, check_queries, prepare, search_exact
from mmfct.retrieval.index.faiss_index import search_index
from mmfct.retrieval.index.shared_items import SharedItems
from mmfct.retrieval.transform.apply import Transform

_QUERIES_PER_CHUNK = 1024


class MergedNeighbours(NamedTuple):
    """The K nearest items of each of Q queries, the nearest first.

    Attributes:
        distances: float64 of shape (Q, K). If a part is upgraded, they are those of the new space, and estimates of
            these for the other items; else those of the old space.
        rows: Rows of the upgraded part or of the old gallery, int64 of shape (Q, K); -1, at an infinite distance, if
            an index found fewer.
        upgraded: Which of the items are rows of the upgraded part, bool of shape (Q, K).
    """

    distances: np.ndarray
    rows: np.ndarray
    upgraded: np.ndarray


class AdaptedSearch:
    """Serve queries of a new model from a gallery of the old one, until all of the gallery is upgraded.

    Items that are upgraded already are searched directly and hidden in the old gallery, whose other items are searched
    by adapted queries. The distances of the two spaces are not comparable. So, for each query, those of the old space
    are scaled and shifted by what the query's distances to the same upgraded items are in both spaces, see
    `match_distances`; then the nearest of all items are returned. Nothing has to be learned or stored for it. With all
    items upgraded it is the search of the new model, without any the adapter alone.

    Args:
        old: The old gallery, with all its items.
        adapter: Maps queries of the new model into the old space, from ``mmfct learn --direction query``.
        upgraded: Those of its items that are upgraded (or embedded by the new model itself), with the same ids; items
            that the old gallery does not have are found, too. ``None`` if none is.
        index: FAISS index of the old gallery; ``None`` for an exact search.
        upgraded_index: Likewise of the upgraded part.
        sample_rows: Number of upgraded items that distances are compared with.
        seed: Seed of their choice.

    Attributes:
        model: The model of the queries.
        num_hidden: Number of items of the old gallery that are upgraded.

    Raises:
        ValueError: If the adapter is not one from the model of the upgraded items to that of the old ones, some items
            are upgraded but fewer than 50 are in both galleries, or their ids do not mean the same items.
    """

    def __init__(
        self,
        old: GallerySource,
        adapter: Transform,
        upgraded: GallerySource | None = None,
        *,
        index: Any = None,
        upgraded_index: Any = None,
        sample_rows: int = 1000,
        seed: int = 0,
    ) -> None:
        provenance = Provenance.from_metadata(old.metadata)
        check_adapter(adapter, provenance, old.width('embedding'))
        self.model: ModelIdentity = adapter.description.old
        self._old, self._adapter, self._upgraded = old, adapter, upgraded
        self._index, self._upgraded_index = index, upgraded_index
        self._distance = provenance.distance
        self._hidden: np.ndarray | None = None
        self._sample: tuple[np.ndarray, np.ndarray] | None = None
        self.num_hidden = 0
        if upgraded is None:
            return
        self._upgraded_distance = Provenance.from_metadata(upgraded.metadata).distance
        check_upgraded(adapter, upgraded)
        shared = SharedItems.find(old, upgraded)
        self._hidden, self.num_hidden = shared.hidden, int(shared.hidden.sum())
        before, after = shared.sample(old, upgraded, max(sample_rows, LEAST_PAIRS), seed)
        sample = torch.from_numpy(before), torch.from_numpy(after)
        check_same_items(adapter, sample, old, upgraded)
        if self.num_hidden < len(old):
            check_enough_items(sample, upgraded)
            self._sample = prepare(before, self._distance), prepare(after, self._upgraded_distance)

    def search(
        self, queries: np.ndarray, k: int, *, advance: Callable[[int], None] = lambda pairs: None
    ) -> MergedNeighbours:
        """Find the k nearest items.

        Args:
            queries: Embeddings of shape (Q, D') by :attr:`model`.
            k: Number of neighbours; all items if there are fewer.
            advance: See `search_exact`; called for as many pairs of a query and a row as both galleries have.

        Raises:
            ValueError: If the queries do not fit or are not finite, look unlike those that the adapter was learned
                from, or ``k`` is not positive.
        """
        adapted = self._adapt(queries)
        waiting = self._search_waiting(adapted, k, advance)
        if self._upgraded is None:
            return MergedNeighbours(*waiting, np.zeros(waiting.rows.shape, bool))
        queries = check_queries(self._upgraded, queries, k)
        if self._upgraded_index is None:
            direct = search_exact(self._upgraded, queries, k, self._upgraded_distance, advance=advance)
        else:
            direct = search_index(self._upgraded, self._upgraded_index, queries, k)
        if self._sample is not None:
            waiting = self._calibrated(waiting, adapted, queries)
        return _merge(direct, waiting, k)

    def _adapt(self, queries: np.ndarray) -> np.ndarray:
        queries = np.asarray(queries)
        width = self._adapter.description.old_dims
        if queries.ndim != 2 or queries.shape[1] != width or not len(queries) or queries.dtype.kind != 'f':
            raise ValueError(
                f'`queries` must be floats of shape (Q, {width}) with a row, got {queries.dtype} of {queries.shape}'
            )
        if not np.isfinite(queries).all():
            raise ValueError('`queries` must be finite, got NaN or infinite values')
        rows = torch.from_numpy(queries.astype(np.float32))
        self._adapter.check_inputs(rows, None, 'the queries')
        return self._adapter(rows).cpu().numpy()

    def _search_waiting(self, adapted: np.ndarray, k: int, advance: Callable[[int], None]) -> Neighbours:
        """Search the items that are not upgraded."""
        check_queries(self._old, adapted, k)
        if self.num_hidden == len(self._old):
            advance(len(adapted) * len(self._old))
            return Neighbours(np.empty((len(adapted), 0)), np.empty((len(adapted), 0), np.int64))
        if self._index is None:
            return search_exact(self._old, adapted, k, self._distance, hidden=self._hidden, advance=advance)
        return search_index(self._old, self._index, adapted, k, hidden=self._hidden)

    def _calibrated(self, waiting: Neighbours, adapted: np.ndarray, queries: np.ndarray) -> Neighbours:
        assert self._sample is not None
        parts = []
        for start in range(0, len(queries), _QUERIES_PER_CHUNK):
            chunk = slice(start, start + _QUERIES_PER_CHUNK)
            given = _distances(adapted[chunk], self._sample[0], self._distance)
            wanted = _distances(queries[chunk], self._sample[1], self._upgraded_distance)
            parts.append(match_distances(given, wanted))
        scale, shift = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
        found = waiting.rows >= 0
        distances = np.where(found, scale * np.where(found, waiting.distances, 0) + shift, np.inf)
        return Neighbours(distances, waiting.rows)


def _merge(direct: Neighbours, waiting: Neighbours, k: int) -> MergedNeighbours:
    """Return the k nearest of both; among items at the same distance, upgraded ones first."""
    upgraded = np.concatenate([np.ones(direct.rows.shape, bool), np.zeros(waiting.rows.shape, bool)], axis=1)
    distances, rows = (np.concatenate(columns, axis=1) for columns in zip(direct, waiting, strict=True))
    order = np.argsort(distances, axis=1, kind='stable')[:, :k]
    return MergedNeighbours(*(np.take_along_axis(values, order, axis=1) for values in (distances, rows, upgraded)))


def _distances(queries: np.ndarray, rows: np.ndarray, distance: str) -> Tensor:
    """Return the distances of queries (Q, D) to rows (S, D) that `prepare` returned, float64 of shape (Q, S)."""
    queries = prepare(queries, distance)
    products = queries @ rows.T
    if distance != 'l2':
        return torch.from_numpy(1 - products if distance == 'cosine' else -products)
    squares = np.square(queries).sum(axis=1)[:, None] + np.square(rows).sum(axis=1) - 2 * products
    return torch.from_numpy(np.sqrt(squares.clip(min=0)))
