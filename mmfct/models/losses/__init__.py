"""Losses of embeddings, a value per instance; wrappers of host losses that weight instances and return a scalar."""

from mmfct.models.losses.backward_compatible_loss import BackwardCompatibleLoss
from mmfct.models.losses.data_parameter_loss import DataParameterLoss
from mmfct.models.losses.embedding_regression_loss import EmbeddingRegressionLoss
from mmfct.models.losses.frozen_classifier_loss import FrozenClassifierLoss
from mmfct.models.losses.instance_task_weight_loss import InstanceTaskWeightLoss

__all__ = [
    'BackwardCompatibleLoss',
    'DataParameterLoss',
    'EmbeddingRegressionLoss',
    'FrozenClassifierLoss',
    'InstanceTaskWeightLoss',
]
