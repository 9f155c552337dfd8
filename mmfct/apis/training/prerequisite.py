"""Trainings that must finish before another one can start."""

from __future__ import annotations

import difflib
import inspect
import logging
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmfct.apis.training.config import config_variables, load_config
from mmfct.apis.training.options import TrainingOptions
from mmfct.apis.training.record import FINAL_CHECKPOINT, TrainingRecord
from mmfct.utils.checkpoint import load_checkpoint

# Variables of a single training, even if the configs of several trainings assign them.
_OWN = ('work_dir', 'load_from', 'resume', 'prerequisites', 'param_scheduler', 'custom_hooks')
# Entries of a config besides the arguments of mmengine's Runner.
_HOST_ENTRIES = ('compile', 'custom_imports', 'folder_pipeline', 'runner_type', 'tta_model', 'tta_pipeline')
_SIMILAR = 0.8  # `difflib`'s ratio: a difference of a letter or two
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
    path = _config_of(entry, Path(config.filename).parent)
    checkpoint = Path(entry['checkpoint'])
    cfg_options = {**options.cfg_options, **entry.get('cfg_options', {})}
    names = _variables(path, cfg_options).union(entry.get('cfg_options', {}))
    stage_options = replace(
        options,
        work_dir=str(checkpoint.parent),
        resume='auto',
        cfg_options={name: value for name, value in cfg_options.items() if name in names},
    )
    # A finished one may have lost the checkpoints to resume from.
    return Prerequisite(path, checkpoint, stage_options, replace(stage_options, resume=None).load(path))


def _config_of(entry: Mapping[str, Any], folder: Path) -> Path:
    """Return the config of a prerequisite, relative to that of the config which names it.

    A config that a training has left in its work directory has no such neighbours: there it is the one that the
    prerequisite's own training has left beside its checkpoint.
    """
    path = folder / entry['config']
    left = Path(entry['checkpoint']).parent / path.name
    return left if left.is_file() and not path.is_file() else path


def _variables(path: Path, cfg_options: dict[str, Any]) -> set[str]:
    """Return the variables of a config and its prerequisites that accept options of another config."""
    own = config_variables(path).difference(_OWN) if path.is_file() else set()
    config = load_config(path, {name: value for name, value in cfg_options.items() if name in own})
    return own.union(
        *(
            _variables(_config_of(entry, path.parent), {**cfg_options, **entry.get('cfg_options', {})})
            for entry in config.get('prerequisites', [])
        )
    )


def check_variables(filename: str | Path, cfg_options: dict[str, Any]) -> None:
    """Refuse misspelt variables, which would silently train something else.

    Other unused options only cause a warning: a script may pass the same options to several configs.

    Args:
        filename: Config file.
        cfg_options: Its options; dotted ones are not checked, they may add entries.

    Raises:
        ValueError: If an option is neither a variable nor an entry of the config, of its prerequisites or of mmengine,
            but resembles one.
    """
    names = {name for name in cfg_options if '.' not in name}
    known = {*load_config(filename), *_variables(Path(filename), cfg_options), *_HOST_ENTRIES}
    for name in sorted(names - known.union(inspect.signature(Runner).parameters)):
        similar = difflib.get_close_matches(name, known, 1, _SIMILAR)
        if similar:
            raise ValueError(f'{filename} has no variable or entry {name!r}; did you mean {similar[0]!r}?')
        print_log(f'{filename} has no variable or entry {name!r}: it has no effect', 'current', logging.WARNING)
