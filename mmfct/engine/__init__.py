"""Hooks, and data parallelism on CPUs."""

from mmfct.engine.cpu_distributed_data_parallel import CpuDistributedDataParallel
from mmfct.engine.hooks import (
    AnnotationHook,
    ClassCountHook,
    DataEpochHook,
    EvalModeFromEpochHook,
    InstanceTaskWeightHook,
    RandomStateHook,
    TerminationHook,
)

__all__ = [
    'AnnotationHook',
    'ClassCountHook',
    'CpuDistributedDataParallel',
    'DataEpochHook',
    'EvalModeFromEpochHook',
    'InstanceTaskWeightHook',
    'RandomStateHook',
    'TerminationHook',
]
