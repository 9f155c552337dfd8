"""Match rows of sources by their ids."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.foreign import ForeignSource


def source_ids(source: GallerySource) -> Iterator[list[str]]:
    """Read the ids of a source as texts, batch by batch, without its vectors."""
    if isinstance(source, ForeignSource):
        return source.ids()
    return ([str(name) for name in source.shard('id', shard.index).tolist()] for shard in source.shards)


def id_hashes(source: GallerySource) -> np.ndarray:
    """Hash all ids: eight bytes each, so that there is room. Other processes hash them in another way.

    Returns:
        int64 of shape (N,).
    """
    return np.fromiter((hash(name) for names in source_ids(source) for name in names), np.int64, len(source))


def unique_id_hashes(source: GallerySource) -> np.ndarray:
    """Hash all ids, see `id_hashes`.

    Raises:
        ValueError: If one occurs twice; the message names it.
    """
    hashes = id_hashes(source)
    ordered = np.sort(hashes)
    repeated = ordered[1:][ordered[1:] == ordered[:-1]]
    if len(repeated):
        name = next(name for names in source_ids(source) for name in names if hash(name) == repeated[0])
        raise ValueError(f'ids of {source.path} must be unique to join by them, got {name!r} more than once')
    return hashes


def find_rows(wanted: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Find hashed ids among those of a source.

    Args:
        wanted: Hashes of shape (M,).
        hashes: Hashes of the source, of shape (N,), N > 0.

    Returns:
        Rows of the source, int64 of shape (M,), -1 where an id is missing.
    """
    order = np.argsort(hashes)
    places = np.searchsorted(hashes, wanted, sorter=order)
    rows = order[np.minimum(places, len(hashes) - 1)]
    return np.where(hashes[rows] == wanted, rows, -1)
