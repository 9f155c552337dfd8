"""Trainings that must finish before another one can start."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log

from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.record import FINAL_CHECKPOINT, TrainingRecord
from mmfct.apis.training.variables import accepted_variables, config_of
from mmfct.utils.checkpoint import load_checkpoint

_FLAGS = ('amp', 'auto_scale_lr', 'no_validate', 'no_pin_memory', 'no_persistent_workers')


@dataclass(frozen=True)
class Prerequisite:
    """An entry ``dict(config=..., checkpoint=..., cfg_options=...)`` of a config's ``prerequisites``.

    Args:
        path: Config file of the training.
        checkpoint: Its result: ``final.pth`` in its work directory. A file of any other name is the user's own, which
            no training creates.
        options: Options of the training.
        config: The config with its options.
    """

    path: Path
    checkpoint: Path
    options: TrainingOptions
    config: Config

    def is_finished(self) -> bool:
        """Return whether the checkpoint exists and is readable; every rank gets the same answer.

        Raises:
            ValueError: If the checkpoint belongs to another training than the config describes, or cannot be read.
            FileNotFoundError: If it is missing, and no training creates a file of that name.
        """
        is_trained = self.checkpoint.name == FINAL_CHECKPOINT
        if is_trained and not TrainingRecord(self.checkpoint.parent, self.config).is_finished():
            return False
        if not self.checkpoint.is_file():
            raise FileNotFoundError(
                f'checkpoint {str(self.checkpoint)!r} does not exist, and a training creates only {FINAL_CHECKPOINT}: '
                'check the path that you gave'
            )
        try:
            load_checkpoint(self.checkpoint)
        except ValueError as error:
            repair = f'; remove it, then create it again with `{self.command()}`' if is_trained else ''
            raise ValueError(f'{error}{repair}') from None
        return True

    def command(self) -> str:
        """Return the command that creates the checkpoint."""
        words = ['mmfct', 'train', str(self.path), '--work-dir', str(self.checkpoint.parent)]
        words += [f'--{flag.replace("_", "-")}' for flag in _FLAGS if getattr(self.options, flag)]
        if self.config.resume:
            words.append('--resume')
        if self.options.cfg_options:
            words += ['--cfg-options', *(f'{key}={value}' for key, value in self.options.cfg_options.items())]
        return shlex.join(words)


def unfinished_prerequisites(config: Config, options: TrainingOptions) -> list[Prerequisite]:
    """List what must be trained before ``config``, in order, including prerequisites of prerequisites.

    Args:
        config: A config that may have ``prerequisites``.
        options: Its options. Those that name a variable of a prerequisite's config apply to it too, unless the entry
            overrides them.

    Raises:
        ValueError: See `Prerequisite.is_finished`.
        FileNotFoundError: See there; also if a config is missing.
    """
    found: dict[Path, Prerequisite] = {}
    for entry in config.get('prerequisites', []):
        stage = find_prerequisite(entry, config, options)
        if stage.is_finished():
            print_log(f'{entry["config"]}: finished, using {stage.checkpoint}', 'current')
        else:
            stage.options.continue_training(stage.config)
            for earlier in unfinished_prerequisites(stage.config, stage.options):
                found.setdefault(earlier.checkpoint, earlier)
            found.setdefault(stage.checkpoint, stage)
    return list(found.values())


def find_prerequisite(entry: Mapping[str, Any], config: Config, options: TrainingOptions) -> Prerequisite:
    """Load the config of a prerequisite, which is not resumed from anything yet.

    Args:
        entry: An entry of ``prerequisites``.
        config: The config that it is in.
        options: Its options, see `unfinished_prerequisites`.

    Raises:
        FileNotFoundError: If the config of the prerequisite is missing.
    """
    path = config_of(entry, Path(config.filename).parent)
    checkpoint = Path(entry['checkpoint'])
    cfg_options = {**options.cfg_options, **entry.get('cfg_options', {})}
    names = accepted_variables(path, cfg_options).union(entry.get('cfg_options', {}))
    stage_options = replace(
        options,
        work_dir=str(checkpoint.parent),
        resume='auto',
        cfg_options={name: value for name, value in cfg_options.items() if name in names},
    )
    # A finished one may have lost the checkpoints to resume from.
    return Prerequisite(path, checkpoint, stage_options, replace(stage_options, resume=None).load(path))
