"""Fingerprints: hashes that tell whether two models, or two settings, are the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def fingerprint_state_dict(state_dict: Mapping[str, Tensor]) -> str:
    """Hash names, dtypes, shapes and values of a state dict.

    The order of the keys, the device and the memory layout do not count, so a checkpoint that is loaded and saved
    again keeps its fingerprint. Neither does ``num_batches_tracked`` of BN: no output in eval mode depends on it, and
    torch adds it to checkpoints that lack it. Names count as they are: remove a prefix such as ``module.`` first.

    Args:
        state_dict: Tensors of any shape and dtype by name, as from ``model.state_dict()``.

    Returns:
        SHA-256 as 64 hexadecimal digits.

    Raises:
        TypeError: If an entry is not a tensor.
    """
    # Imported here: a gallery is read and written with numpy alone.
    import torch

    digest = hashlib.sha256()
    for name in sorted(state_dict):
        tensor = state_dict[name]
        if not isinstance(tensor, torch.Tensor):
            raise TypeError(f'`state_dict` must map names to tensors, got {type(tensor).__name__} for {name!r}')
        if name.rpartition('.')[2] == 'num_batches_tracked':
            continue
        # The header ends with a newline and fixes the number of bytes that follow, so different state dicts never
        # give the same stream.
        header = json.dumps([name, str(tensor.dtype), list(tensor.shape)])
        digest.update(f'{header}\n'.encode())
        # Through bytes, because numpy has no bfloat16.
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        digest.update(flat.view(torch.uint8).numpy())
    return digest.hexdigest()


def fingerprint_json(value: Any) -> str:
    """Hash a plain value: SHA-256 of its :func:`canonical_json`.

    Args:
        value: Settings made of dicts, lists, strings, numbers, bools and ``None``.

    Returns:
        SHA-256 as 64 hexadecimal digits.

    Raises:
        TypeError: If the value, or a part of it, is of another type.
        ValueError: If a number is NaN or infinite.
    """
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def plain_json(value: object) -> object:
    """Turn a config of mmengine into JSON types, with the same result in every process.

    A type or function becomes its name, because its ``repr`` contains an address in memory; anything else that JSON
    has no type for becomes its ``repr``.
    """
    if isinstance(value, dict):
        return {str(key): plain_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_json(item) for item in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    named = hasattr(value, '__qualname__') and hasattr(value, '__module__')
    return f'{value.__module__}.{value.__qualname__}' if named else repr(value)  # type: ignore[attr-defined]


def canonical_json(value: Any, *, name: str = 'value') -> str:
    """Write a plain value as JSON in exactly one way: sorted keys, no spaces, ASCII.

    A tuple is written as a list. ``1`` and ``1.0`` are different values.

    Args:
        value: What to write.
        name: What error messages call it.

    Raises:
        TypeError: If the value, or a part of it, is not plain JSON.
        ValueError: If a number is NaN or infinite.
    """
    _check_plain(value, name)
    return json.dumps(value, sort_keys=True, separators=(',', ':'))


def _check_plain(value: Any, name: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f'`{name}` must be finite, got {value!r}')
    if value is None or isinstance(value, (str, bool, int, float)):
        return
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f'keys of `{name}` must be strings, got {key!r}')
            _check_plain(item, f'{name}[{key!r}]')
    elif isinstance(value, (list, tuple)):
        for position, item in enumerate(value):
            _check_plain(item, f'{name}[{position}]')
    else:
        raise TypeError(
            f'`{name}` must be made of dicts, lists, strings, numbers, bools and None, got {type(value).__name__}'
        )
