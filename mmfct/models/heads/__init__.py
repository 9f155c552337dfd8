"""Heads that map embeddings to embeddings, or train them as classifiers."""

from mmfct.models.heads.backward_compatible_head import BackwardCompatibleHead
from mmfct.models.heads.orthogonal_alignment_head import OrthogonalAlignmentHead
from mmfct.models.heads.transformation_head import TransformationHead

__all__ = ['BackwardCompatibleHead', 'OrthogonalAlignmentHead', 'TransformationHead']
