"""Hooks for the hosts' runners."""

from mmfct.engine.hooks.annotation_hook import AnnotationHook
from mmfct.engine.hooks.class_count_hook import ClassCountHook
from mmfct.engine.hooks.data_epoch_hook import DataEpochHook
from mmfct.engine.hooks.eval_mode_from_epoch_hook import EvalModeFromEpochHook
from mmfct.engine.hooks.instance_task_weight_hook import InstanceTaskWeightHook
from mmfct.engine.hooks.random_state_hook import RandomStateHook
from mmfct.engine.hooks.termination_hook import TerminationHook

__all__ = [
    'AnnotationHook',
    'ClassCountHook',
    'DataEpochHook',
    'EvalModeFromEpochHook',
    'InstanceTaskWeightHook',
    'RandomStateHook',
    'TerminationHook',
]
