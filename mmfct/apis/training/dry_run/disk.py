"""What a training writes, against the space there is."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import torch
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from mmfct.utils.wrappers import unwrapped_model

GB = 1e9


def existing_parent(path: Path) -> Path:
    """Return the folder, or the closest one above it that exists."""
    path = path.absolute()
    return next(folder for folder in (path, *path.parents) if folder.exists())


def check_folder(folder: Path) -> None:
    """Raise a ``ValueError`` if a folder could not be made, or nothing written into it."""
    parent = existing_parent(folder)
    if not parent.is_dir():
        raise ValueError(f'`work_dir` must be a folder, got {str(folder)!r}, but {str(parent)!r} is a file')
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ValueError(
            f'`work_dir` must be a folder that can be written, got {str(folder)!r}; change the permissions of '
            f'{str(parent)!r}, or choose another one with `--work-dir`'
        )


def checkpoint_bytes(runner: Runner) -> int:
    """Return the size of all checkpoints that a training keeps, with ``final.pth``.

    Args:
        runner: A runner that has taken steps, so that its optimiser has a state.
    """
    weights: dict[str, Any] = dict(state_dict=unwrapped_model(runner.model).state_dict())
    runner.call_hook('before_save_checkpoint', checkpoint=weights)  # the parameters of instances, an average
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    final = _saved_bytes(weights)
    if hook is None:
        return final
    optimizer = _saved_bytes(runner.optim_wrapper.state_dict()) if hook.save_optimizer else 0
    best = [hook.save_best] if isinstance(hook.save_best, str) else hook.save_best or []
    return final + (_count_kept(runner, hook) + len(best)) * (final + optimizer)


def check_space(needed: Iterable[Mapping[Path, int]]) -> list[str]:
    """Compare what is to be written with the free space of every disk.

    Args:
        needed: Bytes by folder, of every stage.

    Returns:
        What does not fit, one text per disk.
    """
    disks: dict[int, list[Any]] = {}  # device -> a folder there, bytes
    for stage in needed:
        for folder, number in stage.items():
            parent = existing_parent(folder)
            disks.setdefault(parent.stat().st_dev, [parent, 0])[1] += number
    lines = []
    for folder, number in disks.values():
        free = shutil.disk_usage(folder).free
        if number > free:
            lines.append(
                f'the disk of {str(folder)!r} has {free / GB:.3g} GB left, and {number / GB:.3g} GB are needed; make '
                'room, keep fewer checkpoints (`default_hooks.checkpoint.max_keep_ckpts`), or choose another folder'
            )
    return lines


def _count_kept(runner: Runner, hook: CheckpointHook) -> int:
    length = runner.max_epochs if hook.by_epoch else runner.max_iters
    saved = length // hook.interval if hook.interval > 0 else 0
    if hook.save_last and (hook.interval <= 0 or length % hook.interval):
        saved += 1
    return min(saved, hook.max_keep_ckpts) if hook.max_keep_ckpts > 0 else saved


class _Counter(io.RawIOBase):
    """A file that only counts."""

    size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.size += (length := memoryview(data).nbytes)
        return length


def _saved_bytes(value: Any) -> int:
    counter = _Counter()
    torch.save(value, cast(IO[bytes], counter))
    return counter.size
