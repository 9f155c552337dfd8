"""Command-line options of a training, named as in the hosts' tools."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.fileio import exists, join_path

from mmfct.apis.training.config import load_config
from mmfct.hosts import import_host
from mmfct.utils.launch import adapt_to_launcher


@dataclass(frozen=True)
class TrainingOptions:
    """Options of ``mmfct train``; the names are those of mmpretrain's tool.

    Args:
        work_dir: Folder of logs and checkpoints; ``None`` for the config's, or ``work_dirs/<config name>``.
        resume: ``None`` for a fresh start, ``'auto'`` for the latest checkpoint of ``work_dir`` if there is one, or a
            checkpoint.
        amp: Train with automatic mixed precision.
        no_validate: Skip validation during training.
        auto_scale_lr: Scale the learning rate to the actual batch size, see `scale_learning_rate`.
        no_pin_memory: Do not pin the memory of batches.
        no_persistent_workers: End data loader workers after every epoch.
        verbose: Show on the console everything that the log file has, see `QuietRunner`.
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
    verbose: bool = False
    launcher: str = 'none'
    cfg_options: dict[str, Any] = field(default_factory=dict)

    def load(self, filename: str | Path) -> Config:
        """Load a config with these options; ``work_dir`` reaches what the config computes from it.

        Raises:
            FileNotFoundError: See `load_config`.
            ImportError: If the host of the config's default scope is missing; see `require_hosts`.
            ValueError: See `apply`.
        """
        cfg_options = self.cfg_options if self.work_dir is None else {**self.cfg_options, 'work_dir': self.work_dir}
        config = load_config(filename, cfg_options)
        import_host(config.get('default_scope'))
        self.apply(config)
        return config

    def apply(self, config: Config) -> None:
        """Write the options into ``config``, in place.

        Raises:
            FileNotFoundError: See `continue_training`.
            ValueError: If ``auto_scale_lr`` is set, but ``config`` has no ``base_batch_size``.
        """
        adapt_to_launcher(config, self.launcher)
        name = Path(config.filename).stem
        config.work_dir = self.work_dir or config.get('work_dir') or str(Path('work_dirs') / name)
        if self.verbose:
            config.log_level = 'DEBUG'
        if self.no_validate:
            config.val_cfg = config.val_dataloader = config.val_evaluator = None
        if self.amp:
            if config.get('optim_wrapper') is not None:
                config.optim_wrapper.type = 'AmpOptimWrapper'
                config.optim_wrapper.setdefault('loss_scale', 'dynamic')
            if config.get('test_cfg') is not None:
                config.test_cfg.fp16 = True
        if self.auto_scale_lr:
            if 'base_batch_size' not in config.get('auto_scale_lr', {}):
                raise ValueError(
                    f'`--auto-scale-lr` needs `auto_scale_lr = dict(base_batch_size=...)` in {config.filename!r}'
                )
            config.auto_scale_lr.enable = True
        config.resume = config.get('resume', False)
        self.continue_training(config)
        for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
            if config.get(key) is not None:
                self._apply_to_dataloader(config[key], config.get('default_scope'))

    def continue_training(self, config: Config) -> None:
        """Set in ``config``, in place, what to resume from, given the current state of its work directory.

        Raises:
            FileNotFoundError: If the checkpoint to resume from does not exist.
        """
        # mmengine's own `resume = True` follows the absolute path in `last_checkpoint`, which a copied folder keeps.
        if self.resume == 'auto' or (self.resume is None and config.resume and not config.get('load_from')):
            latest = latest_checkpoint(config)
            # Without a checkpoint to resume from, training starts from the `load_from` of the config.
            config.resume = latest is not None
            if latest is not None:
                config.load_from = latest
        elif self.resume is not None:
            if '://' not in self.resume and not Path(self.resume).is_file():
                raise FileNotFoundError(
                    f'`--resume` must name a checkpoint, got {self.resume!r}, which does not exist'
                )
            config.resume, config.load_from = True, self.resume

    def _apply_to_dataloader(self, dataloader: dict, scope: str | None) -> None:
        dataloader.setdefault('pin_memory', torch.cuda.is_available())
        if dataloader.get('num_workers', 0) > 0:
            dataloader.setdefault('persistent_workers', True)
        else:  # torch refuses options of workers where there are none, though a base may set them
            dataloader['persistent_workers'] = False
            dataloader.pop('prefetch_factor', None)
        if scope == 'mmpretrain':
            # As in its own tool. The other hosts' preprocessors pad images of several sizes, which mmengine's collate
            # function leaves in a list.
            dataloader.setdefault('collate_fn', dict(type='default_collate'))
        if self.no_pin_memory:
            dataloader['pin_memory'] = False
        if self.no_persistent_workers:
            dataloader['persistent_workers'] = False


def latest_checkpoint(config: Config) -> str | None:
    """Return the latest checkpoint of the training in a work directory; ``None`` if none there has saved one.

    It is in the work directory, or where the checkpoint hook of the config puts it: in a folder of that name in
    ``out_dir``.

    Raises:
        FileNotFoundError: If the checkpoint that ``last_checkpoint`` names is not there.
    """
    folder = Path(config.work_dir)
    pointer = folder / 'last_checkpoint'
    named = pointer.read_text().strip() if pointer.is_file() else ''
    if not named:  # empty if a run was killed while writing it
        return None
    out_dir = config.get('default_hooks', {}).get('checkpoint', {}).get('out_dir')
    store = str(folder if out_dir is None else join_path(out_dir, folder.absolute().name))
    file = join_path(store, Path(named).name)
    if not exists(file):
        raise FileNotFoundError(
            f'{str(pointer)!r} names {named!r}, and {store!r} has no {Path(named).name!r} to resume from; put it '
            'there, name a checkpoint with `--resume FILE`, or remove `last_checkpoint` to start anew'
        )
    return str(file)
