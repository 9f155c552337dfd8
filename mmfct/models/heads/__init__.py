"""Heads that map embeddings to embeddings."""

from .transformation_head import TransformationHead

__all__ = ['TransformationHead']
