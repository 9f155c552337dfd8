"""Nearest neighbours of images and of embedded queries in a gallery."""

from mmfct.apis.search_gallery.adapted import AdapterFiles
from mmfct.apis.search_gallery.neighbours import Found, find_neighbours
from mmfct.apis.search_gallery.search import search_gallery
from mmfct.apis.search_gallery.search_images import search_images

__all__ = ['AdapterFiles', 'Found', 'find_neighbours', 'search_gallery', 'search_images']
