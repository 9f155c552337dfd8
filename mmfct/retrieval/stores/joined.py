"""A gallery whose side-information is stored apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from mmfct.retrieval.gallery.description import GalleryDescription
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.source import open_source
from mmfct.retrieval.stores.columns import VectorColumns
from mmfct.retrieval.stores.foreign import ForeignSource
from mmfct.retrieval.stores.matching import find_rows, id_hashes, source_ids, unique_id_hashes
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.say import say_once

SIDE = 'side_info'
# Entry of the metadata with the fingerprint of the source of the side-information.
SIDE_FROM = 'side_info_from'
# Of side-information that is gathered at once. Two blocks are kept, because batches lie across their ends.
_BLOCK_BYTES = 2**25
# A source that is no array in memory is read in order; so many times more is worth a word.
_OFTEN = 4


class JoinedSource(GallerySource):
    """Rows of a gallery, with side-information of another source, matched by id.

    Memory holds 8 bytes for each row of the gallery and, while it is opened, of the other source. Neither needs to be
    sorted; rows that only the other source has are ignored. The fingerprint is that of the gallery, and the metadata
    hold that of the other source.

    Args:
        base: The gallery; side-information of its own is hidden.
        side: Source whose embeddings are the side-information.

    Attributes:
        base: The gallery.
        side: The other source.

    Raises:
        ValueError: If one of them has no ids, an id of ``side`` occurs twice, or it lacks rows; the message says how
            many, and names one.
    """

    def __init__(self, base: GallerySource, side: GallerySource) -> None:
        self.base, self.side, self.path = base, side, base.path
        for source in (base, side):
            if 'id' not in source.columns:
                raise ValueError(f'{source.path} must have ids to be joined by them, got {", ".join(source.columns)}')
        self._places = find_rows(id_hashes(base), unique_id_hashes(side))
        missing = np.flatnonzero(self._places < 0)
        if len(missing):
            names = base.rows('id', missing[:1])
            example = next(iter(next(source_ids(side))))
            raise ValueError(
                f'{side.path} must have the side-information of every row of {base.path}, got none for '
                f'{len(missing):,} of {len(base):,}, such as {str(names[0])!r} (its own ids are such as {example!r}); '
                'embed these items with the model of the side-information, or remove them from the gallery'
            )
        dtype, width = side.columns['embedding']
        provenance = replace(
            Provenance.from_metadata(base.metadata), side_info=Provenance.from_metadata(side.metadata).embedding
        )
        self._description = GalleryDescription(
            {**base.columns, SIDE: (dtype, width)},
            len(base),
            base.shard_rows,
            base.metadata | provenance.to_metadata() | {SIDE_FROM: side.fingerprint},
        )
        self._block_rows = max(1, _BLOCK_BYTES // self._column(SIDE).row_bytes)
        self._blocks: dict[int, np.ndarray] = {}
        self._verified: set[int] = set()
        self._advise()

    @property
    def argument(self) -> str:
        """What a command takes to open the gallery alone."""
        return self.base.argument

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the gallery alone."""
        return self.base.fingerprint

    def verify_shard(self, index: int) -> None:
        """Check one shard of the gallery, and the shards of the side-information that its rows are in."""
        self.base.verify_shard(index)
        _, start, stop = self.shards[index]
        for place in np.unique(self._places[start:stop] // self.side.shard_rows).tolist():
            if place not in self._verified:
                self.side.verify_shard(place)
                self._verified.add(place)

    def shard(self, name: str, index: int) -> np.ndarray:
        """Return one shard of a column, see `GallerySource.shard`."""
        if name != SIDE:
            return self.base.shard(name, index)
        _, start, stop = self.shards[index]
        return self.rows(name, np.arange(start, stop))

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Gather rows of a column, see `GallerySource.rows`.

        Raises:
            ValueError: Likewise, or if ids have changed since the source was opened.
        """
        if name != SIDE:
            return self.base.rows(name, indices)
        indices = self._checked_indices(indices)
        if not len(indices) or not np.array_equal(indices, np.arange(indices[0], indices[0] + len(indices))):
            return self._gather(indices)
        found = np.empty(self._column(name).shape(len(indices)), self._column(name).numpy_dtype)
        blocks = indices // self._block_rows
        for block in range(blocks[0], blocks[-1] + 1):
            chosen = blocks == block
            found[chosen] = self._block(block)[indices[chosen] - block * self._block_rows]
        return found

    def _block(self, block: int) -> np.ndarray:
        if block not in self._blocks:
            while len(self._blocks) > 1:
                del self._blocks[next(iter(self._blocks))]
            start = block * self._block_rows
            self._blocks[block] = self._gather(np.arange(start, min(start + self._block_rows, len(self))))
        return self._blocks[block]

    def _gather(self, indices: np.ndarray) -> np.ndarray:
        """Read side-information of any rows, and compare the ids: hashes could agree by chance."""
        places = self._places[indices]
        names, others = (source.rows('id', rows) for source, rows in ((self.base, indices), (self.side, places)))
        for name, other in zip(names.tolist(), others.tolist(), strict=True):
            if str(name) != str(other):
                raise ValueError(
                    f'{self.base.path} and {self.side.path} must not change while they are read, got {str(other)!r} '
                    f'where {str(name)!r} was; start again'
                )
        return self.side.rows('embedding', places)

    def _advise(self) -> None:
        """Say if a store that is read in order would be read many times."""
        if not isinstance(self.side, ForeignSource) or len(self.side.shards) < _OFTEN:
            return
        shards = self._places // self.side.shard_rows
        blocks = range(0, len(shards), self._block_rows)
        reads = sum(len(np.unique(shards[start : start + self._block_rows])) for start in blocks)
        if reads > _OFTEN * len(self.side.shards):
            times = reads / len(self.side.shards)
            say_once(
                f'{self.side.path} has its rows in another order than {self.base.path} and will be read about '
                f'{times:.0f} times; a gallery made of it with `mmfct convert` is faster'
            )


def open_joined(path: str | Path, options: SourceOptions | None) -> GallerySource:
    """Open a source, and with it the side-information that is stored apart, if the options name any.

    Args:
        path: What `open_source` opens.
        options: How to read it; ``options.side`` names the source of the side-information, whose column of vectors is
            ``options.columns.side``, and whose column of ids has the same name as that of ``path``.

    Raises:
        ConnectionError: See `open_source`.
        FileNotFoundError: See there.
        ImportError: See there.
        ValueError: See there and `JoinedSource`.
    """
    if options is None or options.side is None:
        return open_source(path, options=options)
    columns = replace(options.columns, side='')
    base = open_source(
        path, options=replace(options, side=None, side_model=None, side_fingerprint=None, columns=columns)
    )
    given = SourceOptions(
        # A .npy file has no names of columns, and the ids beside it are found without one.
        VectorColumns(options.columns.side, None if options.side.endswith('.npy') else options.columns.id, '', ''),
        model=options.side_model,
        fingerprint=options.side_fingerprint,
        distance=options.distance or 'l2',
        skip_missing=True,
    )
    side = open_source(options.side, named_after_file=True, options=given)
    return JoinedSource(base, side)


def unjoined(source: GallerySource) -> GallerySource:
    """Return the gallery without side-information that is stored apart, which stays there."""
    return source.base if isinstance(source, JoinedSource) else source
