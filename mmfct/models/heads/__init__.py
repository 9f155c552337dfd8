"""Heads that map embeddings to embeddings, or train them as classifiers."""

from .backward_compatible_head import BackwardCompatibleHead
from .orthogonal_alignment_head import OrthogonalAlignmentHead
from .transformation_head import TransformationHead

__all__ = ['BackwardCompatibleHead', 'OrthogonalAlignmentHead', 'TransformationHead']
