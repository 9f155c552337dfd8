"""Write upgraded vectors into LanceDB: what a new table and a new column have in common."""

from __future__ import annotations

import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.stores.address import StoreAddress
from mmfct.retrieval.stores.notes_target import NOTES_KEY, TargetNotes
from mmfct.retrieval.stores.vector_target import VectorTarget

_COLUMN = re.compile(r'[A-Za-z_][A-Za-z0-9_-]*')


@dataclass(frozen=True)
class LanceRows:
    """The table of a source, opened at the version that the source reads, and what two of its columns are called."""

    table: Any
    vector: str
    id: str

    def read(self, start: int, stop: int, columns: list[str] | None = None) -> Any:
        """Read rows in the order of the source as a ``pyarrow.Table``."""
        query = self.table.search().offset(start).limit(stop - start)
        return (query if columns is None else query.select(columns)).to_arrow()


class LanceTarget(VectorTarget):
    """What a new table and a new column have in common.

    Attributes:
        vector: Column of the upgraded vectors.
        id: Column of ids.
    """

    vector: str
    id: str
    _table: Any
    _lock: int | None = None
    _ids: np.ndarray | None = None

    def count(self) -> tuple[int, int]:
        """Count rows and upgraded vectors, see `VectorTarget.count`."""
        return self._table.count_rows(), self._table.count_rows(f'`{self.vector}` IS NOT NULL')

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Read the upgraded vectors of some rows of the source, which are found by their ids."""
        import pyarrow as pa

        texts = self.source.rows('id', rows).tolist()
        wanted = pa.array(texts, pa.string()).cast(self._table.schema.field(self.id).type).to_pylist()
        condition = f'`{self.id}` IN ({", ".join(map(_literal, wanted))})'
        found = self._table.search().where(condition).select([self.id, self.vector]).limit(len(texts) + 1).to_arrow()
        by_id = dict(zip(found[self.id].cast(pa.string()).to_pylist(), found[self.vector].to_pylist(), strict=True))
        width = self._table.schema.field(self.vector).type.list_size
        missing = [np.nan] * width
        return np.array([by_id.get(text) or missing for text in texts], np.float32)

    def holds(self, start: int, stop: int) -> bool:
        """Whether the rows are there, in any order, see `VectorTarget.holds`."""
        if self._ids is None:
            self._ids = self._id_hashes()
        return bool(np.isin(hashes(self.source.rows('id', np.arange(start, stop)).tolist()), self._ids).all())

    def note(self, notes: TargetNotes) -> None:
        """Replace the notes, see `VectorTarget.note`."""
        self._table.update_field_metadata({'path': self.vector, 'metadata': {NOTES_KEY: notes.encode()}})
        self.notes = notes

    def close(self) -> None:
        """Let other processes write the table."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _id_hashes(self, condition: str | None = None) -> np.ndarray:
        """Hash the ids of all rows, or of those that meet a condition: eight bytes each, so that there is room."""
        import pyarrow as pa

        query = self._table.search().select([self.id])
        batches = (query if condition is None else query.where(condition)).to_batches()
        parts = [hashes(batch[self.id].cast(pa.string()).to_pylist()) for batch in batches]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _hold_alone(self) -> None:
        """Keep other processes of this machine from writing the same table: LanceDB would add rows twice."""
        if not self.address.is_local:
            return
        self._lock = os.open(Path(self.address.root) / f'{self.address.name}.lance', os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self.close()
            raise ValueError(f'{self.address} must not be written by two processes at a time: {error}') from error

    def _stored_notes(self) -> TargetNotes | None:
        return stored_lance_notes(self._table, self.vector, self.address)


def stored_lance_notes(table: Any, column: str, address: StoreAddress) -> TargetNotes | None:
    """Read the notes about a column of vectors; ``None`` if there are none, or no such column.

    Raises:
        ValueError: If they are damaged.
    """
    if column not in table.schema.names:
        return None
    text = (table.schema.field(column).metadata or {}).get(NOTES_KEY.encode())
    return None if text is None else TargetNotes.decode(text, str(address))


def hashes(texts: list[str]) -> np.ndarray:
    """Hash texts, int64 of shape (N,); other processes hash them in another way."""
    return np.fromiter(map(hash, texts), np.int64, len(texts))


def _literal(value: Any) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else str(value)


def vector_array(rows: np.ndarray) -> Any:
    """Return rows (N, width) as an array of lists of fixed size."""
    import pyarrow as pa

    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(rows).reshape(-1)), rows.shape[1])


def checked_column(name: str) -> str:
    """Return the name of a column that may stand in conditions and paths of LanceDB.

    Raises:
        ValueError: If it may not.
    """
    if not _COLUMN.fullmatch(name):
        raise ValueError(f'a column of LanceDB must be named with letters, digits and underscores, got {name!r}')
    return name
