"""Heads: transformations of embeddings, and the classification head of BCT."""

from mmfct.models.heads.backward_compatible_head import BackwardCompatibleHead
from mmfct.models.heads.orthogonal_alignment_head import OrthogonalAlignmentHead
from mmfct.models.heads.transformation_head import TransformationHead

__all__ = ['BackwardCompatibleHead', 'OrthogonalAlignmentHead', 'TransformationHead']
