"""Hooks of mmfct and what a launcher needs."""

from mmfct.engine.cpu_distributed_data_parallel import CpuDistributedDataParallel
from mmfct.engine.hooks import EvalModeFromEpochHook

__all__ = ['CpuDistributedDataParallel', 'EvalModeFromEpochHook']
