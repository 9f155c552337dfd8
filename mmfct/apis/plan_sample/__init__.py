"""Which items of a gallery to embed with a new model, so that a transformation can be learned from them."""

from mmfct.apis.plan_sample.choice import METHODS
from mmfct.apis.plan_sample.plan import plan_sample

__all__ = ['METHODS', 'plan_sample']
