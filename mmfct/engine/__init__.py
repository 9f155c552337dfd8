"""Hooks of mmfct and what a launcher needs."""

from mmfct.engine.cpu_distributed_data_parallel import CpuDistributedDataParallel
from mmfct.engine.hooks import EvalModeFromEpochHook, InstanceTaskWeightHook

__all__ = ['CpuDistributedDataParallel', 'EvalModeFromEpochHook', 'InstanceTaskWeightHook']
