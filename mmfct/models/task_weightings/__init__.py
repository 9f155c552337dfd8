"""How the losses of several tasks become one objective."""

from .dynamic_weight_average import DynamicWeightAverage
from .equal_weighting import EqualWeighting
from .fixed_weighting import FixedWeighting
from .geometric_loss_strategy import GeometricLossStrategy
from .instance_task_weighting import InstanceTaskWeighting
from .random_loss_weighting import RandomLossWeighting
from .torchjd_weighting import TorchJDWeighting

__all__ = [
    'DynamicWeightAverage',
    'EqualWeighting',
    'FixedWeighting',
    'GeometricLossStrategy',
    'InstanceTaskWeighting',
    'RandomLossWeighting',
    'TorchJDWeighting',
]
