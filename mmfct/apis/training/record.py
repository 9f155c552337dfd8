"""Record what a training is made from, and whether it is finished."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine import dist
from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from mmfct.utils.checkpoint import checkpoint_file, load_checkpoint, load_state_dict
from mmfct.utils.dataset_configs import type_name
from mmfct.utils.files import replaced_when_done, write_atomically
from mmfct.utils.fingerprint import fingerprint_state_dict, plain_json
from mmfct.utils.wrappers import unwrapped_model

FINAL_CHECKPOINT = 'final.pth'
_RECORD = 'training.json'
# Reports on the previous weights.
_MEASURED = tuple(
    f'{name}.{kind}' for name in ('compatibility', 'metrics', 'embeddings') for kind in ('json', 'md', 'png')
)
_INPUTS = 'inputs'
# The entries that determine the weights; workers, intervals and folders may change between runs.
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
# How the command line adapts a training to the machine: `--auto-scale-lr` and `--amp`.
_OF_MACHINE = ('auto_scale_lr', 'optim_wrapper.type ', 'optim_wrapper.loss_scale ')


class TrainingRecord:
    """The record of one training in its work directory.

    ``training.json`` is written when the training starts and holds what determines its weights: entries of the config,
    and fingerprints of the checkpoints that its model is built from. ``final.pth`` (weights and meta data only,
    readable with ``weights_only``) is written atomically when the training is finished.

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
        """Return whether the training is finished; every rank gets the same answer.

        A finished training stays valid on another machine, where ``--auto-scale-lr`` or ``--amp`` may be different.

        Raises:
            ValueError: If the folder holds another training than the config describes.
        """
        dist.barrier()
        if not (self.folder / FINAL_CHECKPOINT).is_file():
            self.check()
            return False
        differing = self._differing()
        if differing and all(line.startswith(_OF_MACHINE) for line in differing):
            print_log(f'{self.folder}: was trained with another {", ".join(differing)}', 'current')
        else:
            self.check()
        return True

    def start(self, *, resume: bool) -> None:
        """Record what is trained here; remove an earlier result and its reports.

        Args:
            resume: Whether the training continues what the folder holds; otherwise it replaces that.

        Raises:
            ValueError: If the training to resume has another config.
        """
        if resume:
            self.check()
        dist.barrier()
        if dist.is_main_process():
            self.folder.mkdir(parents=True, exist_ok=True)
            # If this training is interrupted before its first checkpoint, it must not resume from what was here. The
            # exception is an interrupted run of the same training: perhaps `--resume` was forgotten.
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
            model = unwrapped_model(runner.model)
            state_dict = {name: value.cpu() for name, value in model.state_dict().items()}
            meta = dict(config=self.content, epochs=runner.epoch, **_host_meta(runner))
            checkpoint = dict(meta=meta, state_dict=state_dict)
            runner.call_hook('before_save_checkpoint', checkpoint=checkpoint)  # adds the parameters of instances
            with replaced_when_done(self.folder / FINAL_CHECKPOINT) as temporary:
                torch.save(checkpoint, temporary)
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
        """List the differences between this training and the one in the folder, if there is one."""
        record = self.folder / _RECORD
        if not record.is_file():
            return []
        found = json.loads(record.read_text())
        then, now = found.get(_INPUTS, {}), self.content[_INPUTS]

        def same(old: object, new: object, key: str) -> bool:
            """Compare two plain values; checkpoints may have moved, as long as they hold the same weights."""
            if key.endswith('.checkpoint') and isinstance(old, str) and isinstance(new, str):
                return old == new or then.get(old) is not None and then.get(old) == now.get(new)
            return old == new

        # Records of earlier versions may lack entries.
        known = [key for key in _DECISIVE if key in found]
        lines = [line for key in known for line in _differences(_decisive(found[key]), self.content[key], key, same)]
        # A checkpoint that is missing now does not count as another one.
        changed = [path for path, weights in now.items() if weights and then.get(path) not in (None, weights)]
        return lines + [f'the weights of {path}' for path in changed]


def _host_meta(runner: Runner) -> dict[str, Any]:
    """Return what the hosts' inference reads from a checkpoint: the config, and names and colours of the classes."""
    meta: dict[str, Any] = dict(cfg=runner.cfg.pretty_text)
    dataset = runner.train_dataloader.dataset
    if hasattr(dataset, 'metainfo'):
        meta['dataset_meta'] = _without_objects(dataset.metainfo)
    return meta


def _without_objects(value: Any) -> Any:
    """Turn meta information into values that ``weights_only`` reads; lists, tuples and keys stay as they are."""
    if isinstance(value, Mapping):
        return {key: _without_objects(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return (
            type(value)(map(_without_objects, value)) if type(value) in (list, tuple) else _without_objects([*value])
        )
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value if isinstance(value, torch.Tensor) else plain_json(value)


def _decisive(value: object) -> object:
    """Drop what does not affect the weights."""
    if isinstance(value, dict):
        # What is in an embedding table follows from its other entries, wherever it is stored.
        is_table = 'type' in value and type_name(value) == 'EmbeddingTable'
        indifferent = (*_INDIFFERENT, 'path') if is_table else _INDIFFERENT
        return {str(key): _decisive(item) for key, item in value.items() if key not in indifferent}
    if isinstance(value, (list, tuple)):
        return [_decisive(item) for item in value]
    return value


def _differences(found: object, wanted: object, key: str, same: Callable[[object, object, str], bool]) -> list[str]:
    """List the dotted keys at which two plain values are not the same, with both values."""
    if isinstance(found, dict) and isinstance(wanted, dict):
        keys = sorted(found.keys() | wanted.keys())
        return [
            line for name in keys for line in _differences(found.get(name), wanted.get(name), f'{key}.{name}', same)
        ]
    if isinstance(found, list) and isinstance(wanted, list) and len(found) == len(wanted):
        pairs = enumerate(zip(found, wanted, strict=True))
        return [line for index, pair in pairs for line in _differences(*pair, f'{key}.{index}', same)]
    return [] if same(found, wanted, key) else [f'{key} (there {found!r}, asked for {wanted!r})']


def _checkpoints(value: object) -> set[str]:
    """Collect the checkpoints that a config of a model names."""
    if isinstance(value, dict):
        own = {value['checkpoint']} if isinstance(value.get('checkpoint'), str) else set()
        return own.union(*map(_checkpoints, value.values()))
    return set().union(*map(_checkpoints, value)) if isinstance(value, list) else set()


def _fingerprint(path: str) -> str | None:
    """Fingerprint the weights in a checkpoint; ``None`` if there is no such file (yet)."""
    return fingerprint_state_dict(load_state_dict(path)) if checkpoint_file(path).is_file() else None


def check_inputs(checkpoint: str | Path, model: object) -> None:
    """Refuse a checkpoint that was trained with other input weights than the files of its config hold now.

    Args:
        checkpoint: ``final.pth``; other checkpoints do not record their inputs and pass.
        model: Config of the model.

    Raises:
        ValueError: If a checkpoint that ``model`` names has changed.
    """
    meta = load_checkpoint(checkpoint).get('meta', {})
    record = meta.get('config') if isinstance(meta, dict) else None
    then = {value for value in record.get(_INPUTS, {}).values() if value} if isinstance(record, dict) else set()
    for path in sorted(_checkpoints(plain_json(model))):
        now = _fingerprint(path)
        if then and now and now not in then:
            raise ValueError(
                f'{str(checkpoint)!r} was trained with other weights than {path!r} holds now: train it again, or name '
                'the file it was trained with'
            )
