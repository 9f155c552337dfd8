"""Distance between upgraded and new embeddings, per instance."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from mmfct.registry import MODELS


def _mse(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).square().mean(dim=1)


def _l1(prediction: Tensor, target: Tensor) -> Tensor:
    return (prediction - target).abs().mean(dim=1)


def _cosine(prediction: Tensor, target: Tensor) -> Tensor:
    return 1 - F.cosine_similarity(prediction, target, dim=1)


_DISTANCES = {'mse': _mse, 'l1': _l1, 'cosine': _cosine}


@MODELS.register_module()
class EmbeddingRegressionLoss(nn.Module):
    """Regress new embeddings; the mean over dimensions, one value per instance.

    FCT (arXiv 2112.02805) uses ``'mse'`` on raw vectors. The mean over dimensions rather than their sum is part of
    its recipe: it sets the learning rate against the weight decay. FastFill (arXiv 2303.04766) offers all three.

    Args:
        distance: ``'mse'``, ``'l1'`` or ``'cosine'``.

    Raises:
        ValueError: If ``distance`` is not one of these.
    """

    def __init__(self, distance: str = 'mse') -> None:
        super().__init__()
        if distance not in _DISTANCES:
            raise ValueError(f'`distance` must be one of {sorted(_DISTANCES)}, got {distance!r}')
        self.distance = distance

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Return losses of shape (B,) for ``prediction`` and ``target`` of shape (B, D)."""
        return _DISTANCES[self.distance](prediction, target)
