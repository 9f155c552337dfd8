"""Backbones that end in an embedding."""

from .embedding_resnet import EmbeddingResNet
from .torchscript_backbone import TorchScriptBackbone

__all__ = ['EmbeddingResNet', 'TorchScriptBackbone']
