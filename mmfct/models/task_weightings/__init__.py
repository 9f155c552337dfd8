"""How the losses of several tasks become one objective."""

from mmfct.models.task_weightings.agreement_weighting import AgreementWeighting
from mmfct.models.task_weightings.dynamic_weight_average import DynamicWeightAverage
from mmfct.models.task_weightings.equal_weighting import EqualWeighting
from mmfct.models.task_weightings.fixed_weighting import FixedWeighting
from mmfct.models.task_weightings.geometric_loss_strategy import GeometricLossStrategy
from mmfct.models.task_weightings.instance_task_weighting import InstanceTaskWeighting
from mmfct.models.task_weightings.random_loss_weighting import RandomLossWeighting
from mmfct.models.task_weightings.task_weighting import TaskWeighting
from mmfct.models.task_weightings.torchjd_weighting import TorchJDWeighting

__all__ = [
    'AgreementWeighting',
    'DynamicWeightAverage',
    'EqualWeighting',
    'FixedWeighting',
    'GeometricLossStrategy',
    'InstanceTaskWeighting',
    'RandomLossWeighting',
    'TaskWeighting',
    'TorchJDWeighting',
]
