"""Vectors of another program, read as a gallery."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import LABEL_NAMES, GalleryDescription
from mmfct.retrieval.gallery.provenance import Provenance
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.gallery.shard import count_bad_rows
from mmfct.retrieval.gallery.texts import TEXT
from mmfct.retrieval.stores.columns import ChosenColumns
from mmfct.retrieval.stores.keys import Keys, Survey, id_texts, survey_keys
from mmfct.retrieval.stores.present import PresentRows, concatenated
from mmfct.retrieval.stores.reading import store_errors
from mmfct.retrieval.stores.rows import ForeignRows, VectorKind, as_stored, rows_per_shard
from mmfct.retrieval.stores.say import say_once
from mmfct.utils.fingerprint import fingerprint_json

# Entries of the metadata: which store and columns the rows were read from, and whether it had normalised them.
READ_FROM = 'read_from'
NORMALISED_BY_STORE = 'normalised_by_store'


class ForeignSource(GallerySource):
    """Base of the places where other programs keep vectors.

    The columns are those of a gallery: ``embedding``, ``id`` and, where there are any, ``label`` and ``side_info``.
    Ids and labels are surveyed when the source is opened, see `survey_keys`; vectors are read shard by shard.

    Attributes:
        path: Where it is stored.
        where: What messages call it.
        chosen: Names of the columns in the store.
    """

    where: str
    chosen: ChosenColumns
    _survey: Survey
    # What the store raises once it is gone.
    _errors: tuple[type[Exception], ...] = (OSError,)

    def _open(
        self,
        vectors: VectorKind,
        side: VectorKind | None,
        provenance: Provenance,
        *,
        kind: str,
        parse_labels: bool = False,
        notes: dict[str, Any] | None = None,
        shard_rows: int | None = None,
        present: PresentRows | None = None,
    ) -> None:
        """Survey ids and labels, and describe the gallery.

        Args:
            vectors: Kind of the vectors.
            side: Kind of the side-information, if there is any.
            provenance: Which model made them.
            kind: Kind of the store, for the metadata.
            parse_labels: See `survey_keys`.
            notes: Further metadata.
            shard_rows: Rows per shard; ``None`` for a size that fits in memory easily.
            present: Rows to read, if others have no vector.

        Raises:
            ValueError: If ids or labels are not what a gallery needs.
        """
        self._present = present
        self._survey = survey_keys(self._present_keys, self.where, parse_labels=parse_labels)
        columns: dict[str, tuple[str, int | None]] = {'embedding': vectors.column, 'id': (self._survey.id_dtype, None)}
        if (labels := self._survey.labels) is not None:
            columns['label'] = ('int64', None)
        if side is not None:
            columns['side_info'] = side.column
        elif provenance.side_info is not None:
            raise ValueError(
                f'{self.where} must have side-information if its model is named, got columns {self.chosen}; name its '
                'column with `--side-column`, or leave `--side-model` out'
            )
        metadata = provenance.to_metadata() | {READ_FROM: dict(kind=kind, columns=str(self.chosen))} | (notes or {})
        said = f'{self.where}: {self.chosen}'
        if labels is not None:
            if labels.names:
                metadata[LABEL_NAMES] = {str(number): name for name, number in labels.names.items()}
                said += f'; {len(labels.names)} labels are texts, numbered in sorted order'
            if labels.unlabelled:
                said += f'; {labels.unlabelled} of {self._survey.rows} rows have no label'
        if side is not None and provenance.side_info is None:
            said += '; side-information of an unknown model, which no transform will use: name it with `--side-model`'
        say_once(said)
        rows = shard_rows or rows_per_shard(vectors, side)
        self._description = GalleryDescription(columns, self._survey.rows, rows, metadata)
        # Two, because a shard of a result may lie across the end of one of a source.
        self._loaded: dict[int, dict[str, np.ndarray]] = {}

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what `_identity` says of the content, and of the columns that are read."""
        with store_errors(self.where, self._errors):
            return fingerprint_json(dict(content=self._identity(), columns=str(self.chosen)))

    @abstractmethod
    def _identity(self) -> Any:
        """Return plain JSON that changes when the content changes."""

    @abstractmethod
    def _keys(self) -> Iterator[Keys]:
        """Read all ids and labels from the beginning, batch by batch."""

    @abstractmethod
    def _read(self, start: int, stop: int, keep: np.ndarray | None = None) -> ForeignRows:
        """Read the rows of the store from ``start`` up to, not including, ``stop``.

        Args:
            start: The first row.
            stop: Where they end.
            keep: Whether each of them is wanted, boolean; ``None`` for all. Others may have no vector.
        """

    def ids(self) -> Iterator[list[str]]:
        """Read all ids, batch by batch, without the vectors."""
        return (id_texts(keys.ids, self.where) for keys in self._present_keys())

    def _present_keys(self) -> Iterator[Keys]:
        with store_errors(self.where, self._errors):
            yield from self._keys() if self._present is None else self._present.keys(self._keys())

    def _read_present(self, start: int, stop: int) -> ForeignRows:
        if self._present is None:
            return self._read(start, stop)
        windows = self._present.windows(start, stop, self.shard_rows)
        return concatenated([self._read(first, first + len(mask), mask) for first, mask in windows])

    def verify_shard(self, index: int) -> None:
        """Read and check one shard.

        Raises:
            FileNotFoundError: If the store is gone.
            ValueError: If the store has changed, or a vector is missing, of another width, or not finite.
        """
        for name, rows in self._load(index).items():
            bad = count_bad_rows(rows)
            if bad:
                _, start, stop = self.shards[index]
                raise ValueError(
                    f'`{name}` of {self.where} must be finite, got {bad} of the rows {start} to {stop - 1} with NaN '
                    'or infinite values; remove or embed them again'
                )

    def shard(self, name: str, index: int) -> np.ndarray:
        """Return one shard of a column, see `GallerySource.shard`; all columns are read together."""
        return self._load(index)[self._column(name).name]

    def _load(self, index: int) -> dict[str, np.ndarray]:
        if index in self._loaded:
            return self._loaded[index]
        while len(self._loaded) > 1:
            del self._loaded[next(iter(self._loaded))]
        _, start, stop = self.shards[index]
        with store_errors(self.where, self._errors):
            rows = self._read_present(start, stop)
        columns: dict[str, np.ndarray] = {
            'embedding': as_stored(rows.vectors, self.columns['embedding'][0], f'`embedding` of {self.where}'),
            'id': self._id_rows(rows.ids),
        }
        if self._survey.labels is not None:
            columns['label'] = self._survey.labels.rows(rows.labels or (), self.where)
        if rows.side is not None:
            columns['side_info'] = as_stored(rows.side, self.columns['side_info'][0], f'`side_info` of {self.where}')
        for name, values in columns.items():
            if values.shape != self._column(name).shape(stop - start):
                raise ValueError(
                    f'{self.where} must not change while it is read, got {values.shape} of `{name}` for the rows '
                    f'{start} to {stop - 1}; start again'
                )
        self._loaded[index] = columns
        return columns

    def _id_rows(self, ids: Sequence[Any]) -> np.ndarray:
        texts = id_texts(ids, self.where)
        if self.columns['id'][0] != TEXT:
            rows = np.array(texts)
            if rows.dtype.itemsize <= np.dtype(self.columns['id'][0]).itemsize:
                return rows.astype(self.columns['id'][0])
            raise ValueError(f'ids of {self.where} have changed since it was opened; start again')
        objects = np.empty(len(texts), object)
        objects[:] = texts
        return objects
