"""Start and end distributed training, with or without GPUs."""

from __future__ import annotations

import logging
import math
import os
import subprocess
import sys
from datetime import timedelta

import torch
from mmengine.config import Config

# Ranks wait while one of them waits for another job or still writes its shard. The launcher notices a rank that died.
_TIMEOUT = timedelta(days=1)
# Command that starts the ranks; its variables for rank, number of ranks and rank on the machine.
_STARTERS = {
    'slurm': ('srun', 'SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_LOCALID'),
    'mpi': ('mpirun', 'OMPI_COMM_WORLD_RANK', 'OMPI_COMM_WORLD_SIZE', 'OMPI_COMM_WORLD_LOCAL_RANK'),
}


def init_launcher(launcher: str) -> None:
    """Join the process group of a launcher: nccl with GPUs, gloo without.

    The group is created before mmengine's Runner would do it: the Runner calls ``torch.cuda.set_device`` on machines
    without GPUs, starts the workers of later loaders by ``spawn``, and lets nccl give up after ten minutes.

    Args:
        launcher: ``'none'``, ``'pytorch'`` (torchrun), ``'slurm'`` or ``'mpi'``.

    Raises:
        ValueError: If ``launcher`` is none of these, or did not start this process.
    """
    if launcher not in ('none', 'pytorch', *_STARTERS):
        raise ValueError(f"`launcher` must be 'none', 'pytorch', 'slurm' or 'mpi', got {launcher!r}")
    if launcher == 'none' or torch.distributed.is_initialized():
        return
    if launcher in _STARTERS:
        _translate_environment(launcher)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ['LOCAL_RANK']))
    torch.distributed.init_process_group('nccl' if torch.cuda.is_available() else 'gloo', timeout=_TIMEOUT)


def grace_seconds() -> float:
    """Return how long a cluster waits after SIGTERM before it kills: ``MMFCT_GRACE_SECONDS``, or else 20.

    torchrun, slurm and Kubernetes wait for 30 seconds unless they are told otherwise.

    Raises:
        ValueError: If it is not a number of seconds.
    """
    text = os.environ.get('MMFCT_GRACE_SECONDS', '20')
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < math.inf:
        raise ValueError(f'`MMFCT_GRACE_SECONDS` must be a number of seconds, at least 0, got {text!r}')
    return seconds


def is_restarted() -> bool:
    """Whether torchrun has restarted this process after a failure, or slurm has queued its job once more."""
    return any(int(os.environ.get(name) or 0) for name in ('TORCHELASTIC_RESTART_COUNT', 'SLURM_RESTART_COUNT'))


def leave_ranks(status: int = 0) -> None:
    """Exit at once if this process is a rank on gloo whose work is done; otherwise do nothing.

    A thread of gloo that is still running when the interpreter shuts down sometimes aborts the process (torch 2.14),
    also after ``destroy_process_group``, and the launcher would report a failure.

    Args:
        status: Exit status, the same on every rank.
    """
    if not torch.distributed.is_initialized() or torch.distributed.get_backend() != 'gloo':
        return
    torch.distributed.barrier()  # rank 0 may hold the store that the others still talk to
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _translate_environment(launcher: str) -> None:
    """Set torchrun's variables from those of slurm or MPI; mmengine reads them too."""
    starter, *names = _STARTERS[launcher]
    missing = [name for name in names if name not in os.environ]
    if missing:
        raise ValueError(
            f'`launcher={launcher}` needs {", ".join(missing)} in the environment; start the command with `{starter}`'
        )
    for name, source in zip(('RANK', 'WORLD_SIZE', 'LOCAL_RANK'), names, strict=True):
        os.environ[name] = os.environ[source]
    if 'MASTER_ADDR' not in os.environ:
        os.environ['MASTER_ADDR'] = _first_host() if launcher == 'slurm' else '127.0.0.1'
    os.environ.setdefault('MASTER_PORT', '29500')


def _first_host() -> str:
    """Name the first machine of a slurm job, where rank 0 runs."""
    if int(os.environ.get('SLURM_NNODES', '1')) == 1:
        return '127.0.0.1'
    command = ['scontrol', 'show', 'hostnames', os.environ['SLURM_NODELIST']]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]


def adapt_to_launcher(config: Config, launcher: str) -> None:
    """Adapt the config of a Runner to the launcher, in place.

    Without GPUs, ``device_ids=None`` keeps DDP's model on the CPU, and synchronised BN, which torch has for GPUs only,
    is replaced.

    Args:
        config: Config of a Runner.
        launcher: See `init_launcher`.
    """
    config.launcher = launcher
    if launcher != 'none' and not torch.cuda.is_available():
        # Unless the config chooses a wrapper: the defaults of the Runner, without synchronised BN.
        options = dict(broadcast_buffers=False, find_unused_parameters=config.get('find_unused_parameters', False))
        wrapper = config.get('model_wrapper_cfg') or dict(options, type='mmfct.CpuDistributedDataParallel')
        config.model_wrapper_cfg = dict(wrapper, device_ids=None)
        config.sync_bn = None
        env_cfg = config.get('env_cfg', {})
        config.env_cfg = dict(env_cfg, dist_cfg=dict(env_cfg.get('dist_cfg', {}), backend='gloo'))
