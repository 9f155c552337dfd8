"""Hooks, and what distributed launchers need."""

from mmfct.engine.cpu_distributed_data_parallel import CpuDistributedDataParallel
from mmfct.engine.hooks import EvalModeFromEpochHook, InstanceTaskWeightHook

__all__ = ['CpuDistributedDataParallel', 'EvalModeFromEpochHook', 'InstanceTaskWeightHook']
