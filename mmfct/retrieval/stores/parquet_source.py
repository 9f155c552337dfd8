"""Parquet of any program as a gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.parquet.columns import arrow_module, open_parquet, read_batches
from mmfct.retrieval.parquet.gallery import list_parquet, read_notes
from mmfct.retrieval.stores.arrow_rows import kind_of, values_of, vector_kind, vector_rows
from mmfct.retrieval.stores.columns import choose_columns
from mmfct.retrieval.stores.foreign import ForeignSource
from mmfct.retrieval.stores.keys import Keys
from mmfct.retrieval.stores.options import SourceOptions
from mmfct.retrieval.stores.present import NO_SIDE, SKIP, PresentRows
from mmfct.retrieval.stores.rows import ForeignRows, file_states
from mmfct.retrieval.stores.say import say_once
from mmfct.utils.files import file_sha256

_BATCH, _FIRST = 4096, 64


class ParquetSource(ForeignSource):
    """Vectors in Parquet that this project did not write: columns of lists of floats.

    Row groups are read from the first row on, in batches, so memory does not depend on their size. The fingerprint is
    that of the content of all files.

    Args:
        path: A file, or a folder whose files are read in the order of their paths.
        options: Which columns to read, and which model made the vectors.

    Raises:
        FileNotFoundError: If there is no Parquet.
        ImportError: If pyarrow is not installed.
        ValueError: If it is damaged, files differ in their columns, or it does not hold what a gallery needs.
    """

    def __init__(self, path: str | Path, options: SourceOptions) -> None:
        arrow_module()
        self.path, self.where = Path(path), f'{str(path)!r}'
        self._files = list_parquet(self.path)
        self._states = file_states(self._files)
        partitions = sorted(
            {part for file in self._files for part in file.relative_to(self.path).parts[:-1] if '=' in part}
        )
        if partitions:
            say_once(f'{self.where}: columns in the names of folders, such as {partitions[0]!r}, are not read')
        schemas = []
        # First row of each row group: (row, file, group).
        self._groups: list[tuple[int, int, int]] = []
        rows = 0
        for number, name in enumerate(self._files):
            with open_parquet(name) as file:
                schemas.append(file.schema_arrow)
                for group in range(file.num_row_groups):
                    self._groups.append((rows, number, group))
                    rows += file.metadata.row_group(group).num_rows
            if read_notes(name)[0] is not None:
                raise ValueError(f'all files of {self.where} must be of one gallery or of none, got notes in {name}')
        choices = [
            choose_columns({name: kind_of(schema.field(name).type) for name in schema.names}, options.columns, name)
            for schema, name in zip(schemas, self._files, strict=True)
        ]
        self.chosen = choices[0]
        types = [
            [str(schema.field(name).type) for name in self.chosen.names if name in schema.names] for schema in schemas
        ]
        for name, choice, kinds in zip(self._files, choices, types, strict=True):
            if (choice, kinds) != (self.chosen, types[0]):
                raise ValueError(
                    f'all files of {self.where} must have the same columns, got {self.chosen} of '
                    f'{", ".join(types[0])} in {self._files[0]} and {choice} of {", ".join(kinds)} in {name}'
                )
        self._cursor: tuple[int, Iterator[Any]] = (rows, iter(()))
        self._rest: Any = None
        vectors, side = (
            None if name is None else vector_kind(schemas[0].field(name).type, self._first(name), self._what(name))
            for name in (self.chosen.vector, self.chosen.side)
        )
        assert vectors is not None
        what = self._what(self.chosen.vector)
        self._open(
            vectors,
            side,
            options.provenance_of(self.where),
            kind='parquet',
            shard_rows=options.shard_rows,
            present=PresentRows.find(self._have_vectors(), what) if options.skip_missing else None,
        )

    def _identity(self) -> Any:
        return [file_sha256(file) for file in self._files]

    def _what(self, column: str) -> str:
        return f'column {column!r} of {self.where}'

    def _first(self, column: str) -> Any:
        batches = (batch for file in self._files for batch in read_batches(file, [column], _FIRST))
        values = (batch[column].drop_null() for batch in batches)
        return next((given[0].as_py() for given in values if len(given)), None)

    def _have_vectors(self) -> Iterator[np.ndarray]:
        for file in self._files:
            for batch in read_batches(file, [self.chosen.vector], _BATCH):
                yield batch[self.chosen.vector].is_valid().to_numpy(zero_copy_only=False)

    def _keys(self) -> Iterator[Keys]:
        names = [name for name in (self.chosen.id, self.chosen.label) if name is not None]
        for file in self._files:
            for batch in read_batches(file, names):
                label = self.chosen.label
                yield Keys(values_of(batch[self.chosen.id]), None if label is None else values_of(batch[label]))

    def _read(self, start: int, stop: int, keep: np.ndarray | None = None) -> ForeignRows:
        parts = list(self._slices(start, stop))
        if keep is not None:
            ends = np.cumsum([part.num_rows for part in parts])[:-1]
            parts = [part.filter(wanted) for part, wanted in zip(parts, np.split(keep, ends), strict=True)]
        take = lambda name: [part[name] for part in parts]  # noqa: E731

        def vectors(name: str, width: int | None, advice: str) -> np.ndarray:
            what = self._what(name)
            return np.concatenate([vector_rows(values, width or 0, what, advice) for values in take(name)])

        chosen = self.chosen
        return ForeignRows(
            [value for values in take(chosen.id) for value in values_of(values)],
            None if chosen.label is None else [value for values in take(chosen.label) for value in values_of(values)],
            vectors(chosen.vector, self.width('embedding'), SKIP),
            None if chosen.side is None else vectors(chosen.side, self.width('side_info'), NO_SIDE),
        )

    def _slices(self, start: int, stop: int) -> Iterator[Any]:
        """Yield batches with the rows from ``start`` up to ``stop``: further on from the last ones where possible."""
        if file_states(self._files) != self._states:
            raise ValueError(f'{self.where} must not change while it is read, got other files; start again')
        at, batches = self._cursor
        first = max(row for row, _, _ in self._groups if row <= start)
        if not at <= start or first > at:
            at, batches, self._rest = first, self._batches_from(first), None
        while start < stop:
            batch = self._rest if self._rest is not None else next(batches)
            end = at + batch.num_rows
            if end > start:
                yield batch.slice(start - at, min(stop, end) - start)
                start = min(stop, end)
            # The last batch may hold rows of the next shard.
            self._rest, at = (batch, at) if end > stop else (None, end)
            if self._rest is not None:
                break
        self._cursor = (at, batches)

    def _batches_from(self, row: int) -> Iterator[Any]:
        groups = [(number, group) for first, number, group in self._groups if first >= row]
        for number in dict.fromkeys(number for number, _ in groups):
            with open_parquet(self._files[number]) as file:
                chosen = [group for owner, group in groups if owner == number]
                yield from file.iter_batches(_BATCH, row_groups=chosen, columns=self.chosen.names)
