"""Galleries on disk, and the fingerprints that tell which model made them."""

from .fingerprint import canonical_json, fingerprint_json, fingerprint_state_dict
from .gallery import Gallery
from .gallery_manifest import is_complete
from .gallery_writer import GalleryWriter

__all__ = [
    'Gallery',
    'GalleryWriter',
    'canonical_json',
    'fingerprint_json',
    'fingerprint_state_dict',
    'is_complete',
]
