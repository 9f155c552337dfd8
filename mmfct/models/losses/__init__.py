"""Losses; each one offers a value per instance."""

from .backward_compatible_loss import BackwardCompatibleLoss
from .embedding_regression_loss import EmbeddingRegressionLoss

__all__ = ['BackwardCompatibleLoss', 'EmbeddingRegressionLoss']
