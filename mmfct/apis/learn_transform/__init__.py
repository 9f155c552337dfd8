"""Learn a transformation from stored embeddings of two models."""

from mmfct.apis.learn_transform.learn import learn_transform
from mmfct.apis.learn_transform.pairs import join_pairs
from mmfct.apis.learn_transform.settings import LearnSettings
from mmfct.apis.learn_transform.sources import learn_from_sources

__all__ = ['LearnSettings', 'join_pairs', 'learn_from_sources', 'learn_transform']
