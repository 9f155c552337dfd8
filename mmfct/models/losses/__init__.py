"""Losses; each one offers a value per instance."""

from .backward_compatible_loss import BackwardCompatibleLoss
from .data_parameter_loss import DataParameterLoss
from .embedding_regression_loss import EmbeddingRegressionLoss
from .frozen_classifier_loss import FrozenClassifierLoss
from .instance_task_weight_loss import InstanceTaskWeightLoss

__all__ = [
    'BackwardCompatibleLoss',
    'DataParameterLoss',
    'EmbeddingRegressionLoss',
    'FrozenClassifierLoss',
    'InstanceTaskWeightLoss',
]
