"""Backbones of embedding models, multi-task segmentors and classifiers of small images."""

from mmfct.models.backbones.embedding_resnet import EmbeddingResNet
from mmfct.models.backbones.segnet_mtan import SegNetMTAN
from mmfct.models.backbones.torchscript_backbone import TorchScriptBackbone
from mmfct.models.backbones.wide_resnet import WideResNet

__all__ = ['EmbeddingResNet', 'SegNetMTAN', 'TorchScriptBackbone', 'WideResNet']
