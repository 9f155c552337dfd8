"""Rows of a store that have a vector, where others have none and are left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from mmfct.retrieval.stores.keys import Keys
from mmfct.retrieval.stores.rows import ForeignRows
from mmfct.retrieval.stores.say import say_once

# What to do about rows without a vector, and without side-information.
SKIP = 'leave them out with `--skip-missing`, which `mmfct convert` has'
NO_SIDE = "read no side-information, with `--side-column ''`"


class PresentRows:
    """Rows that have a vector; memory holds eight bytes for each.

    Args:
        places: Their numbers among all rows of the store, ascending, of shape (N,).
    """

    def __init__(self, places: np.ndarray) -> None:
        self._places = places

    @classmethod
    def find(cls, masks: Iterable[np.ndarray], what: str) -> PresentRows | None:
        """Find them, and say how many others there are.

        Args:
            masks: Whether rows have a vector, batch by batch, boolean.
            what: What messages call the vectors.

        Returns:
            The rows; ``None`` if that are all.

        Raises:
            ValueError: If there are none.
        """
        parts, rows = [np.empty(0, np.int64)], 0
        for mask in masks:
            parts.append(rows + np.flatnonzero(mask))
            rows += len(mask)
        places = np.concatenate(parts)
        say_missing(len(places), rows, what)
        return None if len(places) == rows else cls(places)

    def keys(self, batches: Iterable[Keys]) -> Iterator[Keys]:
        """Keep the ids and labels of these rows of all those of the store, batch by batch."""
        start = 0
        for ids, labels in batches:
            first, last = np.searchsorted(self._places, [start, start + len(ids)])
            chosen = (self._places[first:last] - start).tolist()
            yield Keys([ids[row] for row in chosen], None if labels is None else [labels[row] for row in chosen])
            start += len(ids)

    def windows(self, start: int, stop: int, size: int) -> Iterator[tuple[int, np.ndarray]]:
        """Cover some of these rows by parts of the store, without reading what lies between.

        Args:
            start: The first of them.
            stop: Where they end.
            size: Most rows of the store in a part.

        Yields:
            The first row of the store in a part, and whether each of its rows is one of these.
        """
        places = self._places[start:stop]
        while len(places):
            inside = places[places < places[0] + size] - places[0]
            mask = np.zeros(int(inside[-1]) + 1, bool)
            mask[inside] = True
            yield int(places[0]), mask
            places = places[len(inside) :]


def say_missing(present: int, rows: int, what: str) -> None:
    """Say how many rows have no vector.

    Raises:
        ValueError: If no row has one, though there are rows.
    """
    if rows and not present:
        raise ValueError(f'{what} must hold a vector in some rows, got none in {rows:,}; name other vectors')
    if present < rows:
        say_once(f'{what}: {rows - present:,} of {rows:,} rows have no vector and are left out')


def concatenated(parts: list[ForeignRows]) -> ForeignRows:
    """Return parts of a store one after the other; at least one."""
    labels = None if parts[0].labels is None else [label for part in parts for label in part.labels or ()]
    side = [part.side for part in parts if part.side is not None]
    return ForeignRows(
        [name for part in parts for name in part.ids],
        labels,
        np.concatenate([part.vectors for part in parts]),
        np.concatenate(side) if side else None,
    )
