"""Write shards while the next ones are computed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from .gallery_manifest import is_complete
from .gallery_writer import GalleryWriter

Write = Callable[[int, Mapping[str, np.ndarray]], None]


@contextlib.contextmanager
def write_behind(writer: GalleryWriter) -> Iterator[Write]:
    """Give a function like `GalleryWriter.write_shard` that returns at once; a thread mostly waits for the disk.

    At most one shard is being written: the next call waits for it and raises its error. When the block ends, every
    shard is safely on disk. A gallery that another process has finished in the meantime is left alone.

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
