"""Compute galleries from images."""

from mmfct.apis.extract_gallery.extract import extract_gallery

__all__ = ['extract_gallery']
