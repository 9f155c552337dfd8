"""What a training was made from, and whether it is finished."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmfct.utils.checkpoint import load_checkpoint, load_state_dict
from mmfct.utils.files import write_atomically
from mmfct.utils.fingerprint import fingerprint_state_dict, plain_json

FINAL_CHECKPOINT = 'final.pth'
_RECORD = 'training.json'
# Of the weights that were here before.
_MEASURED = tuple(
    f'{name}.{kind}' for name in ('compatibility', 'metrics', 'embeddings') for kind in ('json', 'md', 'png')
)
_INPUTS = 'inputs'
# The entries that decide which weights come out; workers, intervals and folders may change between runs.
_DECISIVE = (
    'model',
    'data_preprocessor',
    'train_dataloader',
    'optim_wrapper',
    'train_cfg',
    'param_scheduler',
    'auto_scale_lr',
    'custom_hooks',
    'randomness',
)
_INDIFFERENT = ('num_workers', 'persistent_workers', 'pin_memory', 'prefetch_factor', 'val_interval')


class TrainingRecord:
    """The record of one training in its work directory.

    ``training.json`` is written when the training starts and says what decides its weights: entries of the config,
    and the weights in the checkpoints that its model is made from. ``final.pth`` (weights and meta data only, readable
    with ``weights_only``) appears when it is finished, in one step.

    Args:
        work_dir: Work directory of the training.
        config: Its config.
    """

    def __init__(self, work_dir: str | Path, config: Config) -> None:
        self.folder = Path(work_dir)
        self.content = json.loads(
            json.dumps({key: _decisive(config.get(key)) for key in _DECISIVE}, default=plain_json, sort_keys=True)
        )
        self.content[_INPUTS] = {path: _fingerprint(path) for path in sorted(_checkpoints(self.content['model']))}

    def is_finished(self) -> bool:
        """Return whether the training is finished, the same answer on every rank.

        Raises:
            ValueError: If the folder holds another training than the config describes.
        """
        dist.barrier()
        self.check()
        return (self.folder / FINAL_CHECKPOINT).is_file()

    def start(self, *, resume: bool) -> None:
        """Say what is being trained here; an earlier result, and what was measured of it, is removed.

        Args:
            resume: Whether the training goes on from what the folder holds; otherwise it replaces that.

        Raises:
            ValueError: If the training to resume is one of another config.
        """
        if resume:
            self.check()
        dist.barrier()
        if dist.is_main_process():
            self.folder.mkdir(parents=True, exist_ok=True)
            # Should this training be interrupted before it has a checkpoint of its own, it must not go on from what
            # was here, unless that was interrupted as well: then `--resume` was forgotten, perhaps.
            goes_on = resume or not (self._differing() or (self.folder / FINAL_CHECKPOINT).is_file())
            for name in (FINAL_CHECKPOINT, *_MEASURED):
                (self.folder / name).unlink(missing_ok=True)
            if not goes_on:
                (self.folder / 'last_checkpoint').unlink(missing_ok=True)
            write_atomically(self.folder / _RECORD, json.dumps(self.content, indent=1, sort_keys=True).encode())
        dist.barrier()

    def finish(self, runner: Runner) -> None:
        """Write the final checkpoint from a trained runner."""
        if dist.is_main_process():
            model = runner.model.module if is_model_wrapper(runner.model) else runner.model
            state_dict = {name: value.cpu() for name, value in model.state_dict().items()}
            checkpoint = dict(meta=dict(config=self.content, epochs=runner.epoch), state_dict=state_dict)
            runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)  # adds parameters of the instances
            temporary = self.folder / f'.{FINAL_CHECKPOINT}'
            torch.save(checkpoint, temporary)
            os.replace(temporary, self.folder / FINAL_CHECKPOINT)
        dist.barrier()

    def check(self) -> None:
        """Refuse a folder that holds another training.

        Raises:
            ValueError: If it does.
        """
        differing = self._differing()
        if differing:
            raise ValueError(
                f'{str(self.folder)!r} holds a training of another config, which differs in {differing[0]}'
                f'{f" and {len(differing) - 1} more entries" if len(differing) > 1 else ""}; '
                'remove the folder, or choose another one with `--work-dir` or `--cfg-options work_root=...`'
            )

    def _differing(self) -> list[str]:
        """List what differs between this training and the one that the folder holds; nothing where it holds none."""
        record = self.folder / _RECORD
        if not record.is_file():
            return []
        found = json.loads(record.read_text())
        # A record of an earlier version may lack an entry.
        known = [key for key in _DECISIVE if key in found]
        lines = [line for key in known for line in _differences(found[key], self.content[key], key)]
        # A checkpoint that is missing now is not another one.
        then = found.get(_INPUTS, {})
        changed = [path for path, now in self.content[_INPUTS].items() if now and then.get(path) not in (None, now)]
        return lines + [f'the weights of {path}' for path in changed]


def _decisive(value: object) -> object:
    """Drop what does not decide the weights."""
    if isinstance(value, dict):
        return {str(key): _decisive(item) for key, item in value.items() if key not in _INDIFFERENT}
    if isinstance(value, (list, tuple)):
        return [_decisive(item) for item in value]
    return value


def _differences(found: object, wanted: object, key: str) -> list[str]:
    """List the dotted keys at which two plain values differ, with both values."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys())
        return [line for name in keys for line in _differences(found.get(name), wanted.get(name), f'{key}.{name}')]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [line for index, pair in pairs for line in _differences(*pair, f'{key}.{index}')]
    return [] if found == wanted else [f'{key} (there {found!r}, asked for {wanted!r})']


def _checkpoints(value: object) -> set[str]:
    """Collect the checkpoints that a config of a model names."""
    if isinstance(value, dict):
        own = {value['checkpoint']} if isinstance(value.get('checkpoint'), str) else set()
        return own.union(*map(_checkpoints, value.values()))
    return set().union(*map(_checkpoints, value)) if isinstance(value, list) else set()


def _fingerprint(path: str) -> str | None:
    """Fingerprint the weights in a checkpoint; ``None`` where there is none (yet), or it is elsewhere."""
    return fingerprint_state_dict(load_state_dict(path)) if Path(path).is_file() else None


def check_inputs(checkpoint: str | Path, model: object) -> None:
    """Refuse a checkpoint whose model was made from other weights than the files of its config hold now.

    Args:
        checkpoint: ``final.pth``; nothing is known of what others were made from.
        model: Config of the model.

    Raises:
        ValueError: If a checkpoint that ``model`` names is none of those.
    """
    meta = load_checkpoint(checkpoint).get('meta', {})
    record = meta.get('config') if isinstance(meta, dict) else None
    then = {value for value in record.get(_INPUTS, {}).values() if value} if isinstance(record, dict) else set()
    for path in sorted(_checkpoints(plain_json(model))):
        now = _fingerprint(path)
        if then and now and now not in then:
            raise ValueError(
                f'{str(checkpoint)!r} was trained with other weights than {path!r} holds now: train it again, or name '
                'the file that it was trained with'
            )
