"""Hooks for the hosts' runners."""

from .eval_mode_from_epoch_hook import EvalModeFromEpochHook
from .instance_task_weight_hook import InstanceTaskWeightHook

__all__ = ['EvalModeFromEpochHook', 'InstanceTaskWeightHook']
