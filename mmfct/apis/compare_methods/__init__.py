"""Compare methods that upgrade an old gallery to a new model, on the same embeddings."""

from mmfct.apis.compare_methods.compare import METHODS, compare_methods

__all__ = ['METHODS', 'compare_methods']
