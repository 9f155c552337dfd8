"""Ways to make an old gallery one of a new model, compared on the same embeddings."""

from mmfct.apis.compare_methods.compare import METHODS, compare_methods

__all__ = ['METHODS', 'compare_methods']
