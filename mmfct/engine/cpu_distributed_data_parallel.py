"""Distributed training on CPUs."""

from __future__ import annotations

from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from torch import nn

from mmfct.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class CpuDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper, with plain BN in place of synchronised BN, which torch has for GPUs only.

    Many models of the hosts have synchronised BN by default. mmengine's Runner reverts it when one process trains;
    this does the same when several processes train without GPUs.

    Args:
        module: The model; its layers are replaced in place.
        **kwargs: Arguments of torch's ``DistributedDataParallel``; ``device_ids`` must be None.
    """

    def __init__(self, module: nn.Module, **kwargs) -> None:
        super().__init__(revert_sync_batchnorm(module), **kwargs)
