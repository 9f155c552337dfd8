"""Pure tensor maths: no models, no files, no registries."""

from .compatibility import update_gain
from .distance import pairwise_distances
from .retrieval_metrics import QueryScores, query_scores, retrieval_metrics

__all__ = [
    'QueryScores',
    'pairwise_distances',
    'query_scores',
    'retrieval_metrics',
    'update_gain',
]
