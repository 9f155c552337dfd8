"""Model components of mmfct, reached from configs as ``mmfct.X``."""

from mmfct.models.autoencoder import Autoencoder
from mmfct.models.backbones import EmbeddingResNet, SegNetMTAN, TorchScriptBackbone, WideResNet
from mmfct.models.forward_transform import ForwardTransform
from mmfct.models.frozen_encoder import FrozenEncoder
from mmfct.models.frozen_encoders import FrozenEncoders
from mmfct.models.heads import BackwardCompatibleHead, OrthogonalAlignmentHead, TransformationHead
from mmfct.models.joined_encoder import JoinedEncoder
from mmfct.models.losses import (
    BackwardCompatibleLoss,
    DataParameterLoss,
    EmbeddingRegressionLoss,
    FrozenClassifierLoss,
    InstanceTaskWeightLoss,
)
from mmfct.models.multi_task_segmentor import MultiTaskSegmentor
from mmfct.models.multi_task_tta_model import MultiTaskTTAModel
from mmfct.models.necks import LastOutput, SideInfoNeck
from mmfct.models.smpl_body import SmplBody
from mmfct.models.task_weightings import (
    AgreementWeighting,
    DynamicWeightAverage,
    EqualWeighting,
    FixedWeighting,
    GeometricLossStrategy,
    InstanceTaskWeighting,
    RandomLossWeighting,
    TorchJDWeighting,
)
from mmfct.models.tasks import BodyPoseTask, DepthTask, SegmentationTask

__all__ = [
    'AgreementWeighting',
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
    'LastOutput',
    'MultiTaskSegmentor',
    'MultiTaskTTAModel',
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
