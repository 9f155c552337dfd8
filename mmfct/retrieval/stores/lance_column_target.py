"""Write upgraded vectors into a new column of the LanceDB table that is upgraded."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mmfct.retrieval.gallery.reader import GallerySource
from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.lance import open_lance_table
from mmfct.retrieval.stores.lance_target import LanceRows, LanceTarget, checked_column, hashes, vector_array
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes
from mmfct.retrieval.stores.say import say_once


class LanceColumnTarget(LanceTarget):
    """A new column of the table that is upgraded.

    The column is null where a row is not upgraded yet. LanceDB moves rows whose columns it writes to the end of the
    table: their content stays, their order does not, and an index covers them again after ``table.optimize()``.

    Args:
        address: The table, and the name of the column.
        source: The gallery that is upgraded.
        notes: Notes about this upgrade.
        width: Length of the upgraded vectors.
        rows: The table of the source.

    Raises:
        ValueError: If no column is named, or it exists and is not that of the same upgrade, or another process writes
            the table.
    """

    batch_bytes = 2**27  # each batch is joined with the ids of the whole table

    def __init__(
        self, address: StoreAddress, source: GallerySource, notes: TargetNotes, width: int, rows: LanceRows
    ) -> None:
        import pyarrow as pa

        super().__init__(address, source, notes)
        if address.column is None:
            raise ValueError(f'a new column must be named, as in {address}#vector_v2, got {address}')
        self.vector, self.id = checked_column(address.column), rows.id
        self._table = open_lance_table(address.table)
        self._hold_alone()
        self._done: np.ndarray | None = None
        try:
            if self.vector in self._table.schema.names:
                self.take_over(self._stored_notes(), f'column {self.vector} of {address.table}')
                self._done = self._id_hashes(f'`{self.vector}` IS NOT NULL')
            else:
                metadata = {NOTES_KEY: notes.encode()}
                self._table.add_columns([pa.field(self.vector, pa.list_(pa.float32(), width), metadata=metadata)])
        except BaseException:
            self.close()
            raise

    def pending(self, start: int, stop: int) -> np.ndarray:
        """Say which rows are not written yet, see `VectorTarget.pending`."""
        if self._done is None:
            return np.ones(stop - start, bool)
        return ~np.isin(hashes(self.source.rows('id', np.arange(start, stop)).tolist()), self._done)

    def write(self, start: int, rows: Mapping[str, np.ndarray], pending: np.ndarray) -> None:
        """Write upgraded rows, see `VectorTarget.write`."""
        import pyarrow as pa

        ids = pa.array(rows['id'][pending].tolist(), pa.string()).cast(self._table.schema.field(self.id).type)
        table = pa.table({self.id: ids, self.vector: vector_array(rows['embedding'][pending])})
        result = self._table.merge_insert(self.id).when_matched_update_all().execute(table)
        if result.num_updated_rows != len(ids):
            raise ValueError(
                f'{self.address.table} must have one row for each id, got {result.num_updated_rows} rows for '
                f'{len(ids)} ids; another program has changed it: run the same command once more'
            )

    def finish(self, expected: Callable[[np.ndarray], np.ndarray]) -> None:
        """Compare and note, see `VectorTarget.finish`; say what became of the indexes of the table."""
        super().finish(expected)
        indexes = ', '.join(sorted(index.name for index in self._table.list_indices()))
        if indexes:
            say_once(
                f'{self.address.table}: the rows have moved, and until `table.optimize()` the indexes {indexes} do '
                'not cover them, which makes searches slower'
            )
