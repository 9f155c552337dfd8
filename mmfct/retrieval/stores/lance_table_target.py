"""Write upgraded vectors into a new table of LanceDB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import label_names
from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.keys import NO_LABEL
from mmfct.retrieval.stores.lance import lance_module, lance_tables, open_lance_table
from mmfct.retrieval.stores.lance_target import LanceRows, LanceTarget, checked_column, vector_array
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes

# Entry of the metadata of a table with the networks that LanceDB itself embeds queries and new rows with.
_EMBEDDING_FUNCTIONS = b'embedding_functions'


class LanceTableTarget(LanceTarget):
    """A new table with all rows of the source, in its order.

    Rows are appended batch by batch, and each batch is there as a whole or not at all, so the number of rows says
    where to go on. The notes are metadata of the column of vectors.

    Args:
        address: The table; its column of vectors is called as in the source, or ``vector``, unless it is named.
        source: The gallery that is upgraded.
        notes: Notes about this upgrade.
        columns: Dtype and width of the columns of the upgraded gallery.
        copied: The table of the source, all of whose other columns are copied; ``None`` for another kind of source,
            whose columns as a gallery become those of the table.

    Raises:
        FileNotFoundError: If the database does not exist and is not in a folder.
        ImportError: If lancedb is not installed.
        ValueError: If the table exists and is not that of the same upgrade, another process writes it, or the name of
            the column cannot be used.
    """

    def __init__(
        self,
        address: StoreAddress,
        source: GallerySource,
        notes: TargetNotes,
        columns: Mapping[str, tuple[str, int | None]],
        copied: LanceRows | None = None,
    ) -> None:
        super().__init__(address, source, notes)
        self.vector = checked_column(address.column or (copied.vector if copied else 'vector'))
        self.id = copied.id if copied else 'id'
        self._copied, self._names = copied, label_names(source.metadata)
        schema = self._schema(columns)
        database = lance_module().connect(address.root)  # creates the folder
        if address.name not in lance_tables(database):
            self._table = database.create_table(address.name, schema=schema)
        else:
            self._table = self._open_or_create(database, schema)
        self._hold_alone()
        self._table.checkout_latest()
        self._done: int = self._table.count_rows()

    def pending(self, start: int, stop: int) -> np.ndarray:
        """Say which rows are not written yet, see `VectorTarget.pending`."""
        return np.arange(start, stop) >= self._done

    def write(self, start: int, rows: Mapping[str, np.ndarray], pending: np.ndarray) -> None:
        """Write upgraded rows, see `VectorTarget.write`."""
        import pyarrow as pa

        stop = start + len(pending)
        if self._copied is None:
            arrays = {self.vector if name == 'embedding' else name: self._array(name, rows[name]) for name in rows}
            table = pa.table([arrays[name] for name in self._table.schema.names], schema=self._table.schema)
        else:
            table = self._copied.read(start, stop)
            if table[self.id].cast(pa.string()).to_pylist() != rows['id'].tolist():
                raise ValueError(f'{self.source.path} must not change while it is upgraded; run the command again')
            arrays = {name: table[name] for name in table.column_names}
            arrays |= {self.vector: vector_array(rows['embedding'])}
            if 'log_variance' in rows:
                arrays |= dict(log_variance=pa.array(rows['log_variance']))
            table = pa.table([arrays[name] for name in self._table.schema.names], schema=self._table.schema)
        self._table.add(table.filter(pa.array(pending)))
        self._done = stop

    def _open_or_create(self, database: Any, schema: Any) -> Any:
        try:
            self._table = open_lance_table(self.address.table)
        except FileNotFoundError:  # a process was killed while it created the table: there is a folder, and no version
            return database.create_table(self.address.name, schema=schema)
        if self.vector not in self._table.schema.names:
            raise ValueError(f'{self.address.table} exists and was not written by an upgrade; name another table')
        self.take_over(self._stored_notes(), str(self.address.table))
        return self._table

    def _schema(self, columns: Mapping[str, tuple[str, int | None]]) -> Any:
        import pyarrow as pa

        width = columns['embedding'][1]
        metadata = {NOTES_KEY: self.notes.encode()}
        vector = pa.field(self.vector, pa.list_(pa.float32(), width), metadata=metadata)
        if self._copied is None:
            fields = [self._field(name, *column) for name, column in columns.items() if name != 'embedding']
            if self.vector in columns.keys() - {'embedding'}:
                raise ValueError(f'the column of vectors must not be called {self.vector!r}, which the gallery has')
            position = list(columns).index('embedding')
            return pa.schema([*fields[:position], vector, *fields[position:]])
        given = self._copied.table.schema
        if self.vector in given.names and self.vector != self._copied.vector:
            raise ValueError(f'{self.address.table} must not replace the column {self.vector!r} of its source')
        fields = [vector if field.name == self._copied.vector else field for field in given]
        if 'log_variance' in columns and 'log_variance' not in given.names:
            fields.append(pa.field('log_variance', pa.float32()))
        # LanceDB would go on to embed queries and new rows with the old model.
        kept = {key: value for key, value in (given.metadata or {}).items() if key != _EMBEDDING_FUNCTIONS}
        return pa.schema(fields, metadata=kept)

    def _field(self, name: str, dtype: str, width: int | None) -> Any:
        import pyarrow as pa

        if dtype == 'text' or dtype.startswith('<U') or (name == 'label' and self._names):
            return pa.field(name, pa.string())
        kind = pa.from_numpy_dtype(np.dtype(dtype))
        return pa.field(name, kind if width is None else pa.list_(kind, width))

    def _array(self, name: str, rows: np.ndarray) -> Any:
        import pyarrow as pa

        if name == 'label' and self._names:
            return pa.array([self._names.get(label) for label in rows.tolist()], pa.string())
        if name == 'label':
            return pa.array(rows, mask=rows == NO_LABEL)
        if rows.ndim == 2:
            return vector_array(rows)
        return pa.array(rows.tolist() if rows.dtype.kind in 'UO' else rows)
