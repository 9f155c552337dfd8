"""Start torch.distributed the way the machine needs it."""

from __future__ import annotations

import os

import torch
from mmengine.config import Config
from mmengine.dist import init_dist


def init_launcher(launcher: str) -> None:
    """Join the process group of a launcher: nccl with GPUs, gloo without.

    mmengine would call ``torch.cuda.set_device`` on a machine without GPUs, so there the group is made before its
    Runner looks for one.

    Args:
        launcher: ``'none'``, ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'``.
    """
    if launcher == 'none' or torch.distributed.is_initialized():
        return
    if torch.cuda.is_available():
        init_dist(launcher, backend='nccl')
    elif launcher == 'pytorch':
        torch.distributed.init_process_group('gloo')
    else:
        _init_gloo_from_environment(launcher)


def _init_gloo_from_environment(launcher: str) -> None:
    """Start gloo under slurm or MPI, whose ranks are in other variables than torchrun's."""
    names = dict(slurm=('SLURM_PROCID', 'SLURM_NTASKS'), mpi=('OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE'))
    if launcher not in names:
        raise ValueError(f"`launcher` must be 'none', 'pytorch', 'slurm' or 'mpi', got {launcher!r}")
    rank, world_size = (int(os.environ[name]) for name in names[launcher])
    os.environ.setdefault('MASTER_ADDR', '127.0.0.1')
    os.environ.setdefault('MASTER_PORT', '29500')
    torch.distributed.init_process_group('gloo', rank=rank, world_size=world_size)


def adapt_to_launcher(config: Config, launcher: str) -> None:
    """Set what mmengine's Runner needs to know about the launcher, in place.

    Its DDP wrapper would put the model on a GPU that is not there; ``device_ids=None`` leaves it on the CPU.
    """
    config.launcher = launcher
    if launcher != 'none' and not torch.cuda.is_available():
        config.model_wrapper_cfg = dict(type='MMDistributedDataParallel', device_ids=None)
        config.env_cfg.dist_cfg = dict(backend='gloo')
