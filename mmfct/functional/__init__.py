"""Pure tensor maths: no models, no files, no registries."""

from mmfct.functional.compatibility import update_gain
from mmfct.functional.distance import pairwise_distances
from mmfct.functional.retrieval_metrics import query_scores, retrieval_metrics
from mmfct.functional.retrieval_scores import MeanScores, QueryScores

__all__ = [
    'MeanScores',
    'QueryScores',
    'pairwise_distances',
    'query_scores',
    'retrieval_metrics',
    'update_gain',
]
