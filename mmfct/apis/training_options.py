"""The command-line options of a training, as the hosts know them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from mmfct.engine.launch import adapt_to_launcher


@dataclass(frozen=True)
class TrainingOptions:
    """Options of ``tools/train.py``; the names are those of mmpretrain's tool.

    Args:
        work_dir: Folder of logs and checkpoints; ``None`` for the config's, or ``work_dirs/<config name>``.
        resume: ``None`` for a fresh start, ``'auto'`` for the latest checkpoint of ``work_dir``, or a checkpoint.
        amp: Train with automatic mixed precision.
        no_validate: Skip validation during training.
        auto_scale_lr: Scale the learning rate to the actual batch size.
        no_pin_memory: Do not pin the memory of batches.
        no_persistent_workers: End data loader workers after every epoch.
        launcher: ``'none'``, ``'pytorch'``, ``'slurm'`` or ``'mpi'``.
        cfg_options: Values by dotted key, see `load_config`.
    """

    work_dir: str | None = None
    resume: str | None = None
    amp: bool = False
    no_validate: bool = False
    auto_scale_lr: bool = False
    no_pin_memory: bool = False
    no_persistent_workers: bool = False
    launcher: str = 'none'
    cfg_options: dict[str, Any] = field(default_factory=dict)

    def apply(self, config: Config) -> None:
        """Write the options into ``config``, in place."""
        adapt_to_launcher(config, self.launcher)
        name = Path(config.filename).stem
        config.work_dir = self.work_dir or config.get('work_dir') or str(Path('work_dirs') / name)
        if self.no_validate:
            config.val_cfg = config.val_dataloader = config.val_evaluator = None
        if self.amp:
            config.optim_wrapper.type = 'AmpOptimWrapper'
            config.optim_wrapper.setdefault('loss_scale', 'dynamic')
            if config.get('test_cfg') is not None:
                config.test_cfg.fp16 = True
        if self.auto_scale_lr:
            if 'auto_scale_lr' not in config:
                raise ValueError(
                    f'`--auto-scale-lr` needs `auto_scale_lr = dict(base_batch_size=...)` in {config.filename!r}'
                )
            config.auto_scale_lr.enable = True
        config.resume = self.resume is not None
        config.load_from = None if self.resume == 'auto' else self.resume
        for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            if config.get(key) is not None:
                self._apply_to_dataloader(config[key])

    def _apply_to_dataloader(self, dataloader: dict) -> None:
        dataloader.setdefault('pin_memory', torch.cuda.is_available())
        dataloader.setdefault('persistent_workers', dataloader.get('num_workers', 0) > 0)
        dataloader.setdefault('collate_fn', dict(type='default_collate'))
        if self.no_pin_memory:
            dataloader['pin_memory'] = False
        if self.no_persistent_workers:
            dataloader['persistent_workers'] = False
