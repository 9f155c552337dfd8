"""Hooks for the hosts' runners."""

from mmfct.engine.hooks.annotation_hook import AnnotationHook
from mmfct.engine.hooks.data_epoch_hook import DataEpochHook
from mmfct.engine.hooks.eval_mode_from_epoch_hook import EvalModeFromEpochHook
from mmfct.engine.hooks.instance_task_weight_hook import InstanceTaskWeightHook

__all__ = ['AnnotationHook', 'DataEpochHook', 'EvalModeFromEpochHook', 'InstanceTaskWeightHook']
