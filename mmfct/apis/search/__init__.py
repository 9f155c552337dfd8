"""Nearest neighbours of images and of embeddings in a gallery."""

from mmfct.apis.search.search import Found, search

__all__ = ['Found', 'search']
