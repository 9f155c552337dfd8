"""Open a gallery for reading, whether it is a folder of shards or Parquet."""

from __future__ import annotations

from pathlib import Path

from mmfct.retrieval.gallery.manifest import MANIFEST
from mmfct.retrieval.gallery.reader import Gallery, GallerySource
from mmfct.retrieval.parquet.gallery import ParquetGallery, find_parquet


def open_source(path: str | Path) -> GallerySource:
    """Open a gallery without reading its rows; ``verify_shard`` checks those of one shard.

    Args:
        path: Folder of a gallery; or the file or folder that `write_parquet` wrote.

    Raises:
        FileNotFoundError: If it is neither.
        ImportError: If it is Parquet and pyarrow is not installed.
        ValueError: If it is damaged.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file() and (path.is_file() or find_parquet(path)[0]):
        return ParquetGallery(path)
    return Gallery(path, verify=False)
