"""Nearest neighbours of images and of embeddings in a gallery."""

from mmfct.apis.search.search import Found, search
from mmfct.apis.search.search_gallery import search_gallery
from mmfct.apis.search.search_images import search_images

__all__ = ['Found', 'search', 'search_gallery', 'search_images']
