"""Read the rows of a gallery out of its Parquet, without making the gallery again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from .gallery_description import Shard
from .gallery_shard import count_bad_rows
from .parquet_columns import numpy_rows
from .parquet_files import open_parquet
from .parquet_notes import describe_gallery, list_parquet
from .parquet_writer import arrow_module


class ParquetGallery:
    """What `write_parquet` wrote, read a shard at a time: memory holds one, whatever the number.

    Offers of :class:`Gallery` what an upgrade reads.

    Args:
        path: A file, or a folder of ``*.parquet``.

    Attributes:
        fingerprint: That of the gallery, see :attr:`Gallery.fingerprint`.

    Raises:
        FileNotFoundError: If there is no Parquet.
        ImportError: If pyarrow is not installed.
        ValueError: If it is damaged, or no gallery of this project, shard by shard.
    """

    def __init__(self, path: str | Path) -> None:
        arrow_module()
        self.path = Path(path)
        files = list_parquet(self.path)
        self._description, fingerprint = describe_gallery(files, self.path)
        if fingerprint is None:
            raise ValueError(
                f'{str(path)!r} must note the fingerprint of its gallery, which an earlier version did not; make a '
                'gallery of it with `tools/convert_gallery.py`'
            )
        self.fingerprint = fingerprint
        # File and number of the row group of each shard.
        self._groups: list[tuple[Path, int]] = []
        sizes = []
        for name in files:
            with open_parquet(name) as file:
                for group in range(file.num_row_groups):
                    self._groups.append((name, group))
                    sizes.append(file.metadata.row_group(group).num_rows)
        if sizes != [stop - start for _, start, stop in self.shards]:
            raise ValueError(
                f'{str(path)!r} must have a row group for each shard of its gallery, got {len(sizes)} of other sizes; '
                'make a gallery of it with `tools/convert_gallery.py`'
            )
        self._loaded: tuple[int, dict[str, np.ndarray]] = (-1, {})

    def __len__(self) -> int:
        return self._description.num_rows

    @property
    def columns(self) -> dict[str, tuple[str, int | None]]:
        """Dtype and width by name."""
        return {name: (column.dtype, column.width) for name, column in self._description.columns.items()}

    @property
    def metadata(self) -> dict[str, Any]:
        """What the gallery's writer noted."""
        return self._description.metadata

    @property
    def shards(self) -> list[Shard]:
        """All shards as (index, start, stop)."""
        return self._description.shards

    @property
    def shard_rows(self) -> int:
        """Rows of every shard but the last, which may have fewer."""
        return self._description.shard_rows

    def width(self, name: str) -> int | None:
        """Length of one row of a column; ``None`` for a 1-D column."""
        return self._description.columns[name].width

    def verify_shard(self, index: int) -> None:
        """Read one shard.

        Raises:
            ValueError: If it cannot be read, or has nulls or rows with NaN or infinite values.
        """
        for name, rows in self._shard(index).items():
            bad = count_bad_rows(rows)
            if bad:
                raise ValueError(f'`{name}` in {self.path} must be finite, got {bad} rows with NaN or infinite values')

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Gather rows (N, width) or (N,) of a column, those numbered ``indices`` (N,)."""
        column = self._description.columns[name]
        rows = np.empty(column.shape(len(indices)), column.numpy_dtype)
        shard_of = indices // self.shard_rows
        for index in np.unique(shard_of).tolist():
            chosen = shard_of == index
            rows[chosen] = self._shard(index)[name][indices[chosen] - self.shards[index].start]
        return rows

    def _shard(self, index: int) -> dict[str, np.ndarray]:
        if self._loaded[0] != index:
            name, group = self._groups[index]
            self._loaded = (-1, {})  # before the next one is read: only one is in memory
            columns = self._description.columns
            try:
                with open_parquet(name) as file:
                    table = file.read_row_group(group, columns=list(columns))
            except OSError as error:
                raise ValueError(f'{name} must be whole, got {error}') from error
            self._loaded = (index, {key: numpy_rows(table[key], column) for key, column in columns.items()})
        return self._loaded[1]
