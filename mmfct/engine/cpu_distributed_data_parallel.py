"""Distributed training of a model that stays on the CPU."""

from __future__ import annotations

from mmengine.model import MMDistributedDataParallel, revert_sync_batchnorm
from torch import nn

from mmfct.registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class CpuDistributedDataParallel(MMDistributedDataParallel):
    """mmengine's wrapper, with plain BN in place of synchronised BN, which torch has for GPUs only.

    Many parts of the hosts have synchronised BN by default. mmengine's Runner reverts it where a model is trained by
    one process; this does the same where several processes train it without GPUs.

    Args:
        module: The model; its layers are replaced in place.
        **kwargs: Arguments of torch's ``DistributedDataParallel``; ``device_ids`` must be None.
    """

    def __init__(self, module: nn.Module, **kwargs) -> None:
        super().__init__(revert_sync_batchnorm(module), **kwargs)
