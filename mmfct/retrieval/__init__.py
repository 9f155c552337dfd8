"""Stored embeddings: galleries on disk and as Parquet, search for nearest neighbours, and transform files."""

from mmfct.retrieval.gallery.manifest import is_complete
from mmfct.retrieval.gallery.reader import Gallery
from mmfct.retrieval.gallery.writer import GalleryWriter

__all__ = ['Gallery', 'GalleryWriter', 'is_complete']
