"""Write a gallery shard by shard, so that a killed job can continue where it stopped."""

from __future__ import annotations

import contextlib
import reprlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from mmfct.retrieval.gallery.description import GalleryDescription, Shard
from mmfct.retrieval.gallery.manifest import MANIFEST, create_or_continue, encode_manifest, is_complete
from mmfct.retrieval.gallery.shard import encode_rows, read_intact_record, record_file, write_shard_files
from mmfct.utils.files import is_temporary, write_atomically

Write = Callable[[int, Mapping[str, np.ndarray]], None]


class GalleryWriter:
    """Create a gallery, or continue one that a killed job left incomplete.

    The files are byte for byte the same with and without interruptions. Several processes may write one gallery: all
    open it with the same description, each writes its share of the shards, and one calls :meth:`finish` when all are
    done::

        writer = GalleryWriter(path, columns={'old': ('float32', 128)}, num_rows=len(images))
        for index, start, stop in writer.pending(rank=rank, world_size=world_size):
            writer.write_shard(index, {'old': embed(images[start:stop])})
        barrier()
        if rank == 0:
            writer.finish()

    Args:
        path: A new or empty folder, or a gallery with the same description.
        columns: Dtype and width by name; width ``None`` for a 1-D column such as labels.
        num_rows: Number of rows of every column.
        shard_rows: Rows per shard; the last shard may have fewer.
        metadata: What a reader must know (distance, fingerprints ...) as plain JSON.

    Raises:
        ValueError: If an argument is invalid or the folder holds something else.
        TypeError: If ``metadata`` is not plain JSON.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        columns: Mapping[str, tuple[str, int | None]],
        num_rows: int,
        shard_rows: int = 16384,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.path = Path(path)
        self._description = GalleryDescription(columns, num_rows, shard_rows, metadata or {})
        # Records of the shards that are known to be safely on disk.
        self._records: dict[int, dict[str, Any]] = {}
        create_or_continue(self.path, self._description)

    @property
    def shards(self) -> list[Shard]:
        """All shards, written or not, as (index, start, stop)."""
        return self._description.shards

    def pending(self, *, rank: int = 0, world_size: int = 1) -> list[Shard]:
        """List the shards that are not yet safely on disk.

        Files of earlier runs and other processes are compared with their checksums, once.

        Args:
            rank: Which share of the shards to list. Shares do not depend on what is written already, so ranks that
                ask at different times still cover every shard once.
            world_size: Number of shares.

        Raises:
            ValueError: If ``rank`` does not lie in [0, world_size).
        """
        if not 0 <= rank < world_size:
            raise ValueError(f'`rank` must lie in [0, {world_size}), got {rank!r}')
        if is_complete(self.path):
            return []
        return [shard for shard in self.shards[rank::world_size] if not self._is_written(shard)]

    def write_shard(self, index: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write all columns of one shard; once this returns, they survive a crash.

        A shard that another process has written in the meantime is left alone.

        Args:
            index: Number of the shard, see :attr:`shards`.
            arrays: By column, rows of shape (stop - start, width) or (stop - start,). Texts of any length may be
                objects. Floats are cast to the dtype of
                a float column; nothing else is cast with loss.

        Raises:
            ValueError: If an argument is invalid or the gallery is complete already.
        """
        if is_complete(self.path):
            raise ValueError(f'a complete gallery must not be written to, got {str(self.path)!r}')
        if not 0 <= index < len(self.shards):
            raise ValueError(f'`index` must lie in [0, {len(self.shards)}), got {index!r}')
        columns = self._description.columns
        if arrays.keys() != columns.keys():
            raise ValueError(f'`arrays` must hold the columns {sorted(columns)}, got {sorted(arrays)}')
        shard = self.shards[index]
        # All columns are checked before the first byte is written.
        payloads = {
            column: encode_rows(arrays[name], column, shard.stop - shard.start) for name, column in columns.items()
        }
        if index not in self._records and self._is_written(shard):
            return  # by another process, whose record must keep matching
        self._records.pop(index, None)  # in case the next line fails on a full disk
        try:
            self._records[index] = write_shard_files(self.path, shard, payloads)
        except FileNotFoundError:
            # Another process may have finished the gallery just now and removed this one's temporary file.
            if not is_complete(self.path):
                raise

    def finish(self) -> None:
        """Mark the gallery as complete; calling it again changes nothing.

        Raises:
            ValueError: If shards are pending.
        """
        if not is_complete(self.path):
            pending = [shard.index for shard in self.pending()]
            if pending:
                raise ValueError(
                    f'all {len(self.shards)} shards must be written before `finish`, '
                    f'got {len(pending)} pending: {reprlib.repr(pending)}'
                )
            records = [self._records[shard.index] for shard in self.shards]
            manifest = encode_manifest(self._description, records, complete=True)
            write_atomically(self.path / MANIFEST, manifest)
        for shard in self.shards:
            record_file(self.path, shard).unlink(missing_ok=True)
        for file in self.path.iterdir():
            if is_temporary(file):
                file.unlink(missing_ok=True)

    def _is_written(self, shard: Shard) -> bool:
        if shard.index not in self._records:
            columns = self._description.columns.values()
            record = read_intact_record(self.path, shard, columns)
            if record is None:
                return False
            self._records[shard.index] = record
        return True


@contextlib.contextmanager
def write_behind(writer: GalleryWriter) -> Iterator[Write]:
    """Write shards in a thread, while the caller computes the next one.

    Yields a function with the arguments of `GalleryWriter.write_shard`. At most one shard is being written: the next
    call waits for it and raises its error. At the end of the block every shard is safely on disk. A gallery that
    another process has finished in the meantime is left alone.

    Args:
        writer: Writer of the gallery.
    """
    with ThreadPoolExecutor(max_workers=1) as thread:
        writing: list[Future[None]] = []

        def write(index: int, arrays: Mapping[str, np.ndarray]) -> None:
            while writing:
                writing.pop().result()
            writing.append(thread.submit(_write, writer, index, arrays))

        yield write
        while writing:
            writing.pop().result()


def _write(writer: GalleryWriter, index: int, arrays: Mapping[str, np.ndarray]) -> None:
    try:
        writer.write_shard(index, arrays)
    except ValueError:
        if not is_complete(writer.path):
            raise
