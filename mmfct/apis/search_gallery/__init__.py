"""Nearest neighbours of images and of embeddings in a gallery."""

from mmfct.apis.search_gallery.search import Found, search
from mmfct.apis.search_gallery.search_images import search_images
from mmfct.apis.search_gallery.search_queries import search_gallery

__all__ = ['Found', 'search', 'search_gallery', 'search_images']
