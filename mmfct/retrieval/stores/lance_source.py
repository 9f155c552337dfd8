"""A table of LanceDB as a gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.arrow_rows import kind_of, values_of, vector_kind, vector_rows
from mmfct.retrieval.stores.columns import choose_columns
from mmfct.retrieval.stores.foreign import ForeignSource
from mmfct.retrieval.stores.keys import Keys
from mmfct.retrieval.stores.lance import open_lance_table
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.present import NO_SIDE, SKIP, PresentRows
from mmfct.retrieval.stores.reading import store_errors
from mmfct.retrieval.stores.rows import ForeignRows

_DISTANCES = dict(l2='l2', cosine='cosine', dot='inner')


class LanceSource(ForeignSource):
    """A table of LanceDB: one version of it, whatever is written meanwhile.

    The fingerprint is that of the version: any write to the table changes it, even of other columns; it does not read
    the vectors. Where the vectors have an index, its distance is that of the gallery.

    Args:
        address: Its address.
        options: Which columns to read, and which model made the vectors.
        version: Version of the table; ``None`` for the latest.

    Raises:
        FileNotFoundError: If there is no such table or version.
        ImportError: If lancedb is not installed.
        ValueError: If it does not hold what a gallery needs.
    """

    _errors = (OSError, RuntimeError)

    def __init__(self, address: StoreAddress, options: SourceOptions, *, version: int | None = None) -> None:
        self.address, self.where = address, str(address.table)
        self.path = Path(address.root) / f'{address.name}.lance' if address.is_local else Path(str(address))
        self._table = open_lance_table(address, version=version)
        self.version = int(self._table.version)
        self._table.checkout(self.version)
        self._schema = self._table.schema
        kinds = {name: kind_of(self._schema.field(name).type) for name in self._schema.names}
        self.chosen = choose_columns(kinds, options.columns, self.where)
        present = None
        with store_errors(self.where, self._errors):
            vectors, side = (
                None
                if name is None
                else vector_kind(self._schema.field(name).type, self._first(name), self._what(name))
                for name in (self.chosen.vector, self.chosen.side)
            )
            if options.skip_missing:
                present = PresentRows.find(self._have_vectors(), self._what(self.chosen.vector))
        assert vectors is not None
        notes = (self._schema.field(self.chosen.vector).metadata or {}).get(NOTES_KEY.encode())
        stored = None if notes is None else TargetNotes.decode(notes, self.where)
        provenance = options.provenance_of(self.where, known_distance=self._distance(), stored=stored)
        self._open(vectors, side, provenance, kind='lancedb', shard_rows=options.shard_rows, present=present)

    @property
    def argument(self) -> str:
        """Address of the table, with the column if one was named."""
        return str(self.address)

    def _identity(self) -> Any:
        versions = {entry['version']: entry['timestamp'] for entry in self._table.list_versions()}
        written = versions.get(self.version)
        # Without metadata, whose order is another one each time.
        types = {field.name: str(field.type) for field in self._schema}
        return [self.version, written and written.timestamp(), len(self), types]

    def _distance(self) -> str | None:
        """Return the distance of the index of the vectors; ``None`` if there is none."""
        for index in self._table.list_indices():
            if list(index.columns) == [self.chosen.vector]:
                statistics = self._table.index_stats(index.name)
                return _DISTANCES.get(getattr(statistics, 'distance_type', None) or '')
        return None

    def _what(self, column: str) -> str:
        return f'column {column!r} of {self.where}'

    def _first(self, column: str) -> Any:
        rows = self._table.search().where(_is_given(column)).select([column]).limit(1).to_arrow()
        return rows[column][0].as_py() if rows.num_rows else None

    def _have_vectors(self) -> Iterator[np.ndarray]:
        rows = self._table.search().select({'given': _is_given(self.chosen.vector)})
        for batch in rows.limit(max(1, self._table.count_rows())).to_batches():
            yield batch['given'].to_numpy(zero_copy_only=False)

    def _keys(self) -> Iterator[Keys]:
        chosen = self.chosen
        names = [name for name in (chosen.id, chosen.label) if name is not None]
        for batch in self._table.search().select(names).limit(max(1, self._table.count_rows())).to_batches():
            yield Keys(values_of(batch[chosen.id]), None if chosen.label is None else values_of(batch[chosen.label]))

    def _read(self, start: int, stop: int, keep: np.ndarray | None = None) -> ForeignRows:
        chosen = self.chosen
        rows = self._table.search().select(chosen.names).offset(start).limit(stop - start).to_arrow()
        rows = rows if keep is None else rows.filter(keep)

        def vectors(name: str, width: int | None, advice: str) -> np.ndarray:
            return vector_rows(rows[name], width or 0, self._what(name), advice)

        return ForeignRows(
            values_of(rows[chosen.id]),
            None if chosen.label is None else values_of(rows[chosen.label]),
            vectors(chosen.vector, self.width('embedding'), SKIP),
            None if chosen.side is None else vectors(chosen.side, self.width('side_info'), NO_SIDE),
        )


def _is_given(column: str) -> str:
    return f'`{column}` IS NOT NULL'
