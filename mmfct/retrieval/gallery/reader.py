"""Read a gallery: its files are checked when it is opened, and mapped into memory when they are needed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import Column, GalleryDescription, Shard
from mmfct.retrieval.gallery.manifest import MANIFEST, list_files, read_manifest
from mmfct.retrieval.gallery.shard import check_file, open_rows
from mmfct.utils.files import file_sha256


class GallerySource(ABC):
    """A gallery that can be read row by row, wherever its rows are stored.

    Attributes:
        path: Where it is stored.
    """

    path: Path
    _description: GalleryDescription

    def __len__(self) -> int:
        return self._description.num_rows

    @property
    def argument(self) -> str:
        """What a command takes to open it: the path, or the address of a table or collection."""
        return str(self.path)

    @property
    def columns(self) -> dict[str, tuple[str, int | None]]:
        """Dtype and width by name, as `GalleryWriter` takes them."""
        return {name: (column.dtype, column.width) for name, column in self._description.columns.items()}

    @property
    def metadata(self) -> dict[str, Any]:
        """Metadata that the writer was given."""
        return self._description.metadata

    @property
    def shards(self) -> list[Shard]:
        """All shards as (index, start, stop)."""
        return self._description.shards

    @property
    def shard_rows(self) -> int:
        """Rows per shard; the last shard may have fewer."""
        return self._description.shard_rows

    def width(self, name: str) -> int | None:
        """Length of one row of a column; ``None`` for a 1-D column."""
        return self._column(name).width

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 of the manifest of the gallery, which contains the checksums of all files."""

    @abstractmethod
    def verify_shard(self, index: int) -> None:
        """Read and check every byte of one shard.

        Raises:
            FileNotFoundError: If a file is missing.
            ValueError: If a file is damaged, or has rows with NaN or infinite values.
        """

    @abstractmethod
    def shard(self, name: str, index: int) -> np.ndarray:
        """Return one shard of a column.

        Args:
            name: One of :attr:`columns`.
            index: Position in :attr:`shards`.

        Returns:
            Rows of shape (stop - start, width) or (stop - start,).

        Raises:
            KeyError: If there is no such column.
        """

    def column(self, name: str) -> np.ndarray:
        """Return a whole column: that of a single shard, or else a copy in memory.

        Args:
            name: One of :attr:`columns`.

        Returns:
            Rows of shape (num_rows, width) or (num_rows,).

        Raises:
            KeyError: If there is no such column.
        """
        if len(self.shards) == 1:
            return self.shard(name, 0)
        column = self._column(name)
        rows = np.empty(column.shape(len(self)), column.numpy_dtype)
        for index, start, stop in self.shards:
            rows[start:stop] = self.shard(name, index)
        return rows

    def rows(self, name: str, indices: np.ndarray) -> np.ndarray:
        """Gather rows of a column.

        Args:
            name: One of :attr:`columns`.
            indices: Row numbers of shape (N,), in any order, repeated or not.

        Returns:
            The rows in the order of ``indices``, of shape (N, width) or (N,).

        Raises:
            KeyError: If there is no such column.
            ValueError: If ``indices`` are not 1-D integers in [0, num_rows).
        """
        column = self._column(name)
        indices = self._checked_indices(indices)
        rows = np.empty(column.shape(len(indices)), column.numpy_dtype)
        shard_of = indices // self.shard_rows
        for index in np.flatnonzero(np.bincount(shard_of)).tolist():
            chosen = shard_of == index
            rows[chosen] = self.shard(name, index)[indices[chosen] - self.shards[index].start]
        return rows

    def _checked_indices(self, indices: np.ndarray) -> np.ndarray:
        indices = np.asarray(indices)
        if indices.ndim != 1 or indices.dtype.kind not in 'iu':
            raise ValueError(f'`indices` must be 1-D integers, got {indices.dtype} of shape {indices.shape}')
        indices = indices.astype(np.int64, copy=False)
        wrong = indices[(indices < 0) | (indices >= len(self))]
        if wrong.size:
            raise ValueError(f'`indices` must lie in [0, {len(self)}), got {wrong[0]}')
        return indices

    def _column(self, name: str) -> Column:
        columns = self._description.columns
        if name not in columns:
            raise KeyError(f'`name` must be one of {sorted(columns)}, got {name!r}')
        return columns[name]


class Gallery(GallerySource):
    """A finished gallery, written by `GalleryWriter`.

    No file stays open between calls, so a gallery may have more shards than a process may have open files, and can be
    passed to the workers of a data loader.

    Args:
        path: Folder of the gallery.
        verify: Whether to read every byte once, to compare checksums and to refuse rows with NaN or infinite values.
            Names, sizes, dtypes and shapes are checked in any case.

    Raises:
        FileNotFoundError: If the folder is no gallery, or a shard is missing.
        ValueError: If the gallery is incomplete, damaged or not what its manifest says.
    """

    def __init__(self, path: str | Path, *, verify: bool = True) -> None:
        self.path = Path(path)
        manifest = read_manifest(self.path)
        if manifest.get('complete') is not True:
            raise ValueError(
                f'`path` must be a complete gallery, got {str(path)!r}; run the command that '
                'writes it once more and it continues where it stopped'
            )
        self._description = GalleryDescription.from_json(manifest)
        self._files = list_files(manifest, self._description)
        for file in self._files:
            check_file(self.path, file, verify=verify)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the manifest, which contains the checksums of all files."""
        return file_sha256(self.path / MANIFEST)

    def verify_shard(self, index: int) -> None:
        """Read and check every byte of one shard, for a gallery that was opened without ``verify``."""
        for file in self._files:
            if file.shard.index == index:
                check_file(self.path, file, verify=True)

    def shard(self, name: str, index: int) -> np.ndarray:
        """Map one shard of a column into memory, read-only; see `GallerySource.shard`."""
        column = self._column(name)
        _, start, stop = self.shards[index]
        return open_rows(self.path / column.file_name(index), column, stop - start)
