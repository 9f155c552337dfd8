"""Read checkpoints without running code that they may carry, and load their weights completely or not at all."""

from __future__ import annotations

import contextlib
import pickle
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer, print_log
from mmengine.model import BaseTTAModel, is_model_wrapper
from mmengine.runner import CheckpointLoader
from torch import Tensor, nn

from mmfct.utils.torchscript import is_torchscript, load_torchscript

# Prefix of a path that mmengine reads itself: that of `load_from`, or of an `init_cfg` of type `Pretrained`.
TORCHSCRIPT_SCHEME = 'torchscript://'
# `FILE::ENTRY` names the weights that a checkpoint holds under another entry than `state_dict`.
ENTRY_SEPARATOR = '::'
# Wrappers that add a level to the names of weights: of torch.compile, FSDP, activation checkpointing and Lightning.
_WRAPPERS = re.compile(r'(?:^|(?<=\.))_(?:orig_mod|fsdp_wrapped_module|checkpoint_wrapped_module|forward_module)\.')
_PARALLEL = 'module.'  # of DataParallel, DDP and averages of weights
_COUNTERS = ('steps', 'n_averaged')  # beside the weights in an average of mmengine and of torch
_told: set[str] = set()


def _history_statistic(owner: object, name: str) -> object:
    """Replace ``getattr`` in a pickle: mmengine's histories refer to four methods of their class by name."""
    if owner is not HistoryBuffer or name not in ('min', 'max', 'current', 'mean'):
        raise pickle.UnpicklingError(f'attribute {name!r} of {owner!r}')
    return getattr(owner, name)


# What mmengine puts into a training checkpoint beside tensors and plain values. numpy 1 and 2 keep two functions in
# different modules, and either may have written the file.
_NUMPY_FUNCTIONS = {'_reconstruct': np.zeros(0).__reduce__()[0], 'scalar': np.float64(0).__reduce__()[0]}
_MMENGINE_GLOBALS = [
    HistoryBuffer,
    *((function, f'numpy.core.multiarray.{name}') for name, function in _NUMPY_FUNCTIONS.items()),
    *((function, f'numpy._core.multiarray.{name}') for name, function in _NUMPY_FUNCTIONS.items()),
    np.ndarray,
    np.dtype,
    (_history_statistic, 'builtins.getattr'),
    *{type(np.dtype(name)) for name in ('float64', 'float32', 'int64', 'int32', 'bool')},
]
# For the whole process: mmengine resumes with `torch.load` itself, which since torch 2.6 reads weights only, and
# upstream mmengine allows nothing of this.
torch.serialization.add_safe_globals(_MMENGINE_GLOBALS)


def load_checkpoint(path: str | Path) -> dict:
    """Load a checkpoint of mmengine with ``weights_only``, so that a hostile file cannot run code.

    Args:
        path: File written by mmengine's ``CheckpointHook`` or by ``torch.save`` of a state dict; or a TorchScript
            file, of which the weights are used. ``FILE::ENTRY`` puts another entry of the file in the place of its
            ``state_dict``.

    Returns:
        The checkpoint; always a dict.

    Raises:
        FileNotFoundError: If ``path`` is no file.
        ValueError: If the file is truncated or no checkpoint, holds more than tensors and plain values, or lacks
            ``ENTRY``.
    """
    path, entry = _split(path)
    if not path.is_file():
        raise FileNotFoundError(f'checkpoint {str(path)!r} does not exist')
    if is_torchscript(path):
        return dict(state_dict=load_torchscript(path).state_dict())
    try:
        # Once more: the maintained mmengine allows some of this for a load of its own, and takes it back for all.
        torch.serialization.add_safe_globals(_MMENGINE_GLOBALS)
        checkpoint = torch.load(path, map_location='cpu', weights_only=True)
    except Exception as error:  # damaged bytes raise anything, from EOFError to struct.error
        if isinstance(error, pickle.UnpicklingError) and _holds_a_pickle(path):
            raise ValueError(
                f'checkpoint {str(path)!r} is refused: it holds Python objects beside tensors and plain values, '
                'and loading those could run code'
            ) from error
        # Only its first sentence: the next ones advise loading without `weights_only`.
        reason = str(error).split('. ')[0].splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f'checkpoint {str(path)!r} cannot be read: it is truncated, damaged or no checkpoint ({reason})'
        ) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f'checkpoint {str(path)!r} must hold a dict, got {type(checkpoint).__name__}')
    if entry is None:
        return checkpoint
    if not isinstance(checkpoint.get(entry), dict):
        raise ValueError(
            f'checkpoint {str(path)!r} has no weights under {entry!r}; '
            f'it has weights under {_weight_entries(checkpoint)}'
        )
    return {**checkpoint, 'state_dict': checkpoint[entry]}


@contextlib.contextmanager
def only_weights() -> Iterator[None]:
    """Refuse hostile checkpoints that mmengine opens itself: of `load_from`, ``Pretrained``, and to resume from.

    The maintained mmengine first reads weights only, and where that is refused it reads the file again without that
    protection.
    """
    from mmengine.runner import checkpoint as host

    trusting = getattr(host, '_safe_torch_load', None)  # of the maintained mmengine alone; upstream relies on torch
    if trusting is None:
        yield
        return
    host._safe_torch_load = _load_only_weights
    try:
        yield
    finally:
        host._safe_torch_load = trusting


def _load_only_weights(file: Any, map_location: Any = None, weights_only: bool | None = None) -> Any:
    try:
        torch.serialization.add_safe_globals(_MMENGINE_GLOBALS)
        return torch.load(file, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f'checkpoint {str(file)!r} is refused: it is damaged, or holds Python objects beside tensors and plain '
            'values, and loading those could run code'
        ) from error


def checkpoint_file(path: str | Path) -> Path:
    """Return the file of a checkpoint that may be given as ``FILE::ENTRY``."""
    return _split(path)[0]


def load_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Load the weights of a checkpoint: its entry ``state_dict``, or the whole file if it has none.

    The levels that wrappers such as DataParallel add to the names are removed. If the file holds a second set of the
    same weights, such as an exponential moving average, a message says which one is used.

    Args:
        path: See `load_checkpoint`.

    Raises:
        FileNotFoundError: See `load_checkpoint`.
        ValueError: See `load_checkpoint`; also if a value is no tensor.
    """
    checkpoint = load_checkpoint(path)
    state_dict = checkpoint.get('state_dict', checkpoint)
    if not isinstance(state_dict, dict):
        raise ValueError(
            f'the `state_dict` of checkpoint {str(path)!r} must be a dict, got {type(state_dict).__name__}'
        )
    odd = [key for key, value in state_dict.items() if not isinstance(value, Tensor)]
    if odd:
        repairs = [
            f"; it holds weights under {entry!r}: name them as '{path}{ENTRY_SEPARATOR}{entry}'"
            for entry in (_weight_entries(checkpoint) if state_dict is checkpoint else ())
        ]
        raise ValueError(
            f'checkpoint {str(path)!r} must map names to tensors, got other values for {odd[:3]}{"".join(repairs)}'
        )
    state_dict = unwrapped(state_dict)
    if state_dict and _split(path)[1] is None and str(path) not in _told:
        _tell_of_other_weights(str(path), checkpoint, state_dict)
    return state_dict


def unwrapped(state_dict: dict[str, Tensor]) -> dict[str, Tensor]:
    """Remove the levels that wrappers of a model add to the names of its weights."""
    state_dict = {_WRAPPERS.sub('', name): value for name, value in state_dict.items()}
    while (names := state_dict.keys() - _COUNTERS) and all(name.startswith(_PARALLEL) for name in names):
        state_dict = {
            name.removeprefix(_PARALLEL): value for name, value in state_dict.items() if name not in _COUNTERS
        }
    return state_dict


def load_weights(model: nn.Module, state_dict: dict[str, Tensor], checkpoint: str) -> None:
    """Load all weights of a model; mmengine would only log missing ones and leave them random.

    Args:
        model: The model, or a wrapper of it.
        state_dict: Weights by name.
        checkpoint: File that they come from, for messages.

    Raises:
        ValueError: If a weight is missing or has another shape.
    """
    inner: Any = model
    while is_model_wrapper(inner) or isinstance(inner, BaseTTAModel):
        inner = inner.module
    try:
        missing = inner.load_state_dict(unwrapped(state_dict), strict=False).missing_keys
    except RuntimeError as error:
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another model: {str(error).splitlines()[1].strip()}'
        ) from None
    if missing:
        total = len(inner.state_dict())
        raise ValueError(
            f'checkpoint {checkpoint!r} is of another model: {len(missing)} of {total} weights are missing, '
            f'such as {missing[0]!r}'
        )


@CheckpointLoader.register_scheme(prefixes=TORCHSCRIPT_SCHEME, force=True)
def load_from_torchscript(filename: str, map_location: str | None = None) -> dict:
    """Load ``torchscript://PATH`` for mmengine; weights stay on the CPU whatever ``map_location`` says."""
    return load_checkpoint(filename.removeprefix(TORCHSCRIPT_SCHEME))


def _split(path: str | Path) -> tuple[Path, str | None]:
    """Split ``FILE::ENTRY``; the entry is ``None`` if there is none."""
    file, separator, entry = str(path).rpartition(ENTRY_SEPARATOR)
    return (Path(file), entry) if separator and not Path(path).is_file() else (Path(path), None)


def _weight_entries(checkpoint: dict) -> list[str]:
    """List the entries of a checkpoint that hold weights."""
    return [
        name
        for name, value in checkpoint.items()
        if isinstance(value, dict) and value and all(isinstance(item, Tensor) for item in value.values())
    ]


def _tell_of_other_weights(path: str, checkpoint: dict, used: dict[str, Tensor]) -> None:
    """Say, once per file, which weights are used if a checkpoint holds several sets of the same ones."""
    _told.add(path)
    for entry in _weight_entries(checkpoint):
        if entry != 'state_dict' and 2 * len(unwrapped(checkpoint[entry]).keys() & used.keys()) > len(used):
            hook = ", which is the average if mmengine's EMAHook wrote it" if entry == 'ema_state_dict' else ''
            print_log(
                f'checkpoint {path!r} holds two sets of weights: `state_dict` is used{hook}; for `{entry}`, name it '
                f"'{path}{ENTRY_SEPARATOR}{entry}'",
                'current',
            )


def _holds_a_pickle(path: Path) -> bool:
    """Whether a file was pickled, by torch or otherwise, and is not text or other bytes under the wrong name."""
    with path.open('rb') as file:
        return zipfile.is_zipfile(path) or file.read(1) == pickle.PROTO
