"""Vectors of another program in memory, for tools that need all of them at once or in any order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mmfct.retrieval.gallery.description import Column, GalleryDescription
from mmfct.retrieval.gallery.reader import Gallery, GallerySource
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.inspect import check_lengths, count_zero_rows
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.say import say_once


class LoadedSource(GallerySource):
    """All rows of a source, read and checked in one pass; all-zero embeddings are counted and said.

    Args:
        source: The source.

    Raises:
        FileNotFoundError: If the source is gone.
        ValueError: If a shard is damaged, or vectors are too short or too long.
    """

    def __init__(self, source: GallerySource) -> None:
        self.path, self._argument, self._fingerprint = source.path, source.argument, source.fingerprint
        self._description = GalleryDescription(source.columns, len(source), len(source), source.metadata)
        columns = {name: Column(name, *column) for name, column in source.columns.items()}
        self._rows = {name: np.empty(one.shape(len(source)), one.numpy_dtype) for name, one in columns.items()}
        for index, start, stop in source.shards:
            source.verify_shard(index)
            for name, rows in self._rows.items():
                rows[start:stop] = source.shard(name, index)
            check_lengths(self._rows['embedding'][start:stop], f'vectors of {source.path}')
        zero_rows = count_zero_rows(self._rows['embedding'])
        if zero_rows:
            say_once(f'{source.path}: {zero_rows} of {len(source)} embeddings are all zero, which no model makes')

    @property
    def argument(self) -> str:
        """What a command takes to open the source."""
        return self._argument

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the source."""
        return self._fingerprint

    def verify_shard(self, index: int) -> None:
        """Do nothing: all rows were checked when they were read."""

    def shard(self, name: str, index: int) -> np.ndarray:
        """Return the only shard of a column, see `GallerySource.shard`."""
        return self._rows[self._column(name).name]


def open_checked(path: str | Path, options: SourceOptions | None = None) -> GallerySource:
    """Open a gallery of which every byte is checked; anything else is read into memory.

    Arguments and errors as of `open_source`.
    """
    source = open_source(path, options=options)
    return Gallery(source.path) if isinstance(source, Gallery) else LoadedSource(source)
