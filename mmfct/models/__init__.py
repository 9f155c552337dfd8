"""Model components of mmfct, reached from configs as ``mmfct.X``."""

from .backbones import EmbeddingResNet, TorchScriptBackbone
from .forward_transform import ForwardTransform
from .frozen_encoder import FrozenEncoder
from .frozen_encoders import FrozenEncoders
from .heads import TransformationHead
from .losses import BackwardCompatibleLoss, EmbeddingRegressionLoss
from .necks import SideInfoNeck

__all__ = [
    'BackwardCompatibleLoss',
    'EmbeddingRegressionLoss',
    'EmbeddingResNet',
    'ForwardTransform',
    'FrozenEncoder',
    'FrozenEncoders',
    'SideInfoNeck',
    'TorchScriptBackbone',
    'TransformationHead',
]
