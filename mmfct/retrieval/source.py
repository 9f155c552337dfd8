"""Where rows of a gallery are read from: its folder, or its Parquet."""

from __future__ import annotations

from pathlib import Path

from mmfct.retrieval.gallery.manifest import MANIFEST
from mmfct.retrieval.gallery.reader import Gallery
from mmfct.retrieval.parquet.gallery import ParquetGallery

GallerySource = Gallery | ParquetGallery


def open_source(path: str | Path) -> GallerySource:
    """Open a gallery whose shards are verified one by one, by ``verify_shard``.

    Args:
        path: Folder of a gallery; or the Parquet that `write_parquet` made of one, a file or a folder.

    Raises:
        FileNotFoundError: If it is neither.
        ImportError: If it is Parquet and pyarrow is not installed.
        ValueError: If it is damaged.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file() and (path.is_file() or any(path.glob('*.parquet'))):
        return ParquetGallery(path)
    return Gallery(path, verify=False)
