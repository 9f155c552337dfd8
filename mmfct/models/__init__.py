"""Model components of mmfct, reached from configs as ``mmfct.X``."""

from .autoencoder import Autoencoder
from .backbones import EmbeddingResNet, SegNetMTAN, TorchScriptBackbone, WideResNet
from .forward_transform import ForwardTransform
from .frozen_encoder import FrozenEncoder
from .frozen_encoders import FrozenEncoders
from .heads import BackwardCompatibleHead, OrthogonalAlignmentHead, TransformationHead
from .joined_encoder import JoinedEncoder
from .losses import (
    BackwardCompatibleLoss,
    DataParameterLoss,
    EmbeddingRegressionLoss,
    FrozenClassifierLoss,
    InstanceTaskWeightLoss,
)
from .multi_task_segmentor import MultiTaskSegmentor
from .necks import SideInfoNeck
from .smpl_body import SmplBody
from .task_weightings import (
    DynamicWeightAverage,
    EqualWeighting,
    FixedWeighting,
    GeometricLossStrategy,
    InstanceTaskWeighting,
    RandomLossWeighting,
    TorchJDWeighting,
)
from .tasks import BodyPoseTask, DepthTask, SegmentationTask

__all__ = [
    'Autoencoder',
    'BackwardCompatibleHead',
    'BackwardCompatibleLoss',
    'BodyPoseTask',
    'DataParameterLoss',
    'DepthTask',
    'DynamicWeightAverage',
    'EmbeddingRegressionLoss',
    'EmbeddingResNet',
    'EqualWeighting',
    'FixedWeighting',
    'ForwardTransform',
    'FrozenClassifierLoss',
    'FrozenEncoder',
    'FrozenEncoders',
    'GeometricLossStrategy',
    'InstanceTaskWeightLoss',
    'InstanceTaskWeighting',
    'JoinedEncoder',
    'MultiTaskSegmentor',
    'OrthogonalAlignmentHead',
    'RandomLossWeighting',
    'SegNetMTAN',
    'SegmentationTask',
    'SideInfoNeck',
    'SmplBody',
    'TorchJDWeighting',
    'TorchScriptBackbone',
    'TransformationHead',
    'WideResNet',
]
