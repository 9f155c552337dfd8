"""Backbones: of embeddings, of dense tasks, and of classifiers."""

from .embedding_resnet import EmbeddingResNet
from .segnet_mtan import SegNetMTAN
from .torchscript_backbone import TorchScriptBackbone
from .wide_resnet import WideResNet

__all__ = ['EmbeddingResNet', 'SegNetMTAN', 'TorchScriptBackbone', 'WideResNet']
