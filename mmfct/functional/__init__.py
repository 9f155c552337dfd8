"""Pure tensor maths: no models, no files, no registries."""

from mmfct.functional.compatibility import update_gain
from mmfct.functional.distance import pairwise_distances
from mmfct.functional.retrieval_metrics import QueryScores, query_scores, retrieval_metrics

__all__ = [
    'QueryScores',
    'pairwise_distances',
    'query_scores',
    'retrieval_metrics',
    'update_gain',
]
